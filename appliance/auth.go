package appliance

import (
	"context"
	"net/http"
	"strings"

	"hearth/appliance/api"
	"hearth/appliance/api/mlv1"
	"hearth/appliance/api/tfserving"
	"hearth/ml"
)

// ownerUser is the owner's name as a proxy credential.
const ownerUser = "owner"

// authenticator knows the owner's token and asks about jobs.
type authenticator struct {
	owner api.Secret
	// job is nil for the password of a job that runs.
	job func(project, job, password string) error
}

// Bearer tells whose token it is.
func (a *authenticator) Bearer(token string) (ml.Principal, bool) {
	ok := a.owner.Is(token)
	return ml.Principal{Owner: ok}, ok
}

// Basic tells whose proxy credentials they are: the owner's, or those of a job
// that has not ended, whose user name is PROJECT.JOB.
func (a *authenticator) Basic(user, password string) (ml.Principal, bool) {
	if user == ownerUser {
		return a.Bearer(password)
	}
	project, job, ok := strings.Cut(user, ".")
	if !ok {
		return ml.Principal{}, false
	}
	if err := a.job(project, job, password); err != nil {
		return ml.Principal{}, false
	}
	return ml.Principal{Project: project, Job: job}, true
}

// allows says whether a model's policy lets somebody make a request.
func (a *Appliance) allows(r *http.Request, p ml.Principal) bool {
	if project, model, permission, ok := mlv1.Asks(r); ok {
		return a.serving.Allows(p, project, model, permission)
	}
	model, permission, ok := tfserving.Asks(r)
	return ok && a.serving.Allows(p, Project, model, permission)
}

// authorizeModel is allows for a call of gRPC, whose model only its handler knows.
func (a *Appliance) authorizeModel(ctx context.Context, model, permission string) error {
	p := api.PrincipalFrom(ctx)
	switch {
	case p.Owner || a.serving.Allows(p, Project, model, permission):
		return nil
	case p == ml.Principal{}:
		return api.ErrNoCredentials()
	}
	return ml.Errorf(ml.PermissionDenied, "%s may not use the model %s.", p, model)
}

// authorizeBucket is the bucket's rule: the owner may do everything, a job may
// use the buckets of its project. There is one project, so those are all.
func authorizeBucket(p ml.Principal) error {
	if p.Owner || p.IsJob() && p.Project == Project {
		return nil
	}
	return ml.Errorf(ml.PermissionDenied, "%s may not use this bucket.", p)
}
