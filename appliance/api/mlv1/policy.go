package mlv1

import (
	"net/http"
	"strings"

	"hearth/ml"
	"hearth/ml/rest"
)

func (a *api) routePolicies() {
	a.handle(http.MethodGet, "/models/{model}:getIamPolicy", a.getPolicy, "options.requestedPolicyVersion")
	a.handle(http.MethodPost, "/models/{model}:setIamPolicy", a.setPolicy)
	a.handle(http.MethodPost, "/models/{model}:testIamPermissions", a.testPermissions)
}

func (a *api) getPolicy(_ *http.Request, p rest.Params) (any, error) {
	return a.CatalogueReader.ModelPolicy(p.Get("project"), p.Get("model"))
}

type setPolicyRequest struct {
	Policy     *ml.Policy `json:"policy,omitempty"`
	UpdateMask string     `json:"updateMask,omitempty"`
}

func (a *api) setPolicy(r *http.Request, p rest.Params) (any, error) {
	var request setPolicyRequest
	if err := rest.Decode(r, &request, maxBody); err != nil {
		return nil, err
	}
	if request.Policy == nil {
		return nil, ml.FieldErrorf("policy", "The policy is missing.")
	}
	if request.UpdateMask == "" {
		request.UpdateMask = "bindings,etag"
	}
	bindings := false
	for field := range strings.SplitSeq(request.UpdateMask, ",") {
		switch strings.TrimSpace(field) {
		case "bindings", "*":
			bindings = true
		case "etag", "version":
		case "auditConfigs":
			return nil, &ml.Error{Kind: ml.Unimplemented, Field: "updateMask", Message: "Audit logs are not kept here; leave auditConfigs out."}
		default:
			return nil, ml.FieldErrorf("updateMask", "A policy has no field %q that can be set: bindings, etag.", field)
		}
	}
	if !bindings {
		return a.getPolicy(r, p)
	}
	return a.Catalogue.SetModelPolicy(r.Context(), p.Get("project"), p.Get("model"), request.Policy)
}

type permissions struct {
	Permissions []string `json:"permissions,omitempty"`
}

// testPermissions says which of the permissions the caller has: who may ask is the
// owner, who has all of them.
func (a *api) testPermissions(r *http.Request, p rest.Params) (any, error) {
	var request permissions
	if err := rest.Decode(r, &request, maxBody); err != nil {
		return nil, err
	}
	if _, err := a.CatalogueReader.Model(p.Get("project"), p.Get("model")); err != nil {
		return nil, err
	}
	for _, name := range request.Permissions {
		if strings.Contains(name, "*") || !strings.HasPrefix(name, "ml.") {
			return nil, ml.FieldErrorf("permissions", "%q is not a permission of this service.", name)
		}
	}
	return request, nil
}
