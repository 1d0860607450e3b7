package mlv1

import (
	"net/http"

	"hearth/ml"
	"hearth/ml/rest"
)

func (a *api) routeModels() {
	a.handle(http.MethodPost, "/models", a.createModel)
	a.handle(http.MethodGet, "/models", a.listModels, listQuery...)
	a.handle(http.MethodGet, "/models/{model}", a.getModel)
	a.handle(http.MethodDelete, "/models/{model}", a.deleteModel)
}

func (a *api) createModel(r *http.Request, p rest.Params) (any, error) {
	model := &ml.Model{}
	if err := rest.Decode(r, model, maxBody); err != nil {
		return nil, err
	}
	return a.Catalogue.CreateModel(r.Context(), p.Get("project"), model)
}

func (a *api) getModel(_ *http.Request, p rest.Params) (any, error) {
	return a.CatalogueReader.Model(p.Get("project"), p.Get("model"))
}

type listModelsResponse struct {
	Models        []*ml.Model `json:"models,omitempty"`
	NextPageToken string      `json:"nextPageToken,omitempty"`
}

func (a *api) listModels(r *http.Request, p rest.Params) (any, error) {
	size, token, err := page(r)
	if err != nil {
		return nil, err
	}
	models, next, err := a.CatalogueReader.Models(p.Get("project"), size, token)
	return listModelsResponse{models, next}, err
}

func (a *api) deleteModel(r *http.Request, p rest.Params) (any, error) {
	return a.Catalogue.DeleteModel(r.Context(), p.Get("project"), p.Get("model"))
}
