package mlv1

import (
	"net/http"

	"hearth/ml"
	"hearth/ml/rest"
)

func (a *api) routeOperations() {
	a.handle(http.MethodGet, "/operations", a.listOperations, append(listQuery, "returnPartialSuccess")...)
	a.handle(http.MethodGet, "/operations/{operation}", a.getOperation)
}

func (a *api) getOperation(_ *http.Request, p rest.Params) (any, error) {
	return a.Operations.Operation(p.Get("project"), p.Get("operation"))
}

type listOperationsResponse struct {
	Operations    []*ml.Operation `json:"operations,omitempty"`
	NextPageToken string          `json:"nextPageToken,omitempty"`
}

func (a *api) listOperations(r *http.Request, p rest.Params) (any, error) {
	size, token, err := page(r)
	if err != nil {
		return nil, err
	}
	operations, next, err := a.Operations.Operations(p.Get("project"), size, token)
	return listOperationsResponse{operations, next}, err
}
