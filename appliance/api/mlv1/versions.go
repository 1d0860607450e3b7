package mlv1

import (
	"net/http"

	"hearth/ml"
	"hearth/ml/rest"
)

func (a *api) routeVersions() {
	const versions, version = "/models/{model}/versions", "/models/{model}/versions/{version}"
	a.handle(http.MethodPost, versions, a.createVersion)
	a.handle(http.MethodGet, versions, a.listVersions, listQuery...)
	a.handle(http.MethodGet, version, a.getVersion)
	a.handle(http.MethodDelete, version, a.deleteVersion)
	a.handle(http.MethodPost, version+":setDefault", a.setDefault)
}

func (a *api) createVersion(r *http.Request, p rest.Params) (any, error) {
	version := &ml.Version{}
	if err := rest.Decode(r, version, maxBody); err != nil {
		return nil, err
	}
	return a.Catalogue.CreateVersion(r.Context(), p.Get("project"), p.Get("model"), version)
}

func (a *api) getVersion(_ *http.Request, p rest.Params) (any, error) {
	return a.CatalogueReader.Version(p.Get("project"), p.Get("model"), p.Get("version"))
}

type listVersionsResponse struct {
	Versions      []*ml.Version `json:"versions,omitempty"`
	NextPageToken string        `json:"nextPageToken,omitempty"`
}

func (a *api) listVersions(r *http.Request, p rest.Params) (any, error) {
	size, token, err := page(r)
	if err != nil {
		return nil, err
	}
	versions, next, err := a.CatalogueReader.Versions(p.Get("project"), p.Get("model"), size, token)
	return listVersionsResponse{versions, next}, err
}

func (a *api) deleteVersion(r *http.Request, p rest.Params) (any, error) {
	return a.Catalogue.DeleteVersion(r.Context(), p.Get("project"), p.Get("model"), p.Get("version"))
}

func (a *api) setDefault(r *http.Request, p rest.Params) (any, error) {
	if err := rest.Decode(r, &noFields{}, maxBody); err != nil {
		return nil, err
	}
	return a.Catalogue.SetDefault(r.Context(), p.Get("project"), p.Get("model"), p.Get("version"))
}
