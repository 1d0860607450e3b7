package appliance

import (
	"strings"

	"hearth/appliance/api"
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

// authorizeBucket is the bucket's rule: the owner may do everything, a job may
// use the buckets of its project. There is one project, so those are all.
func authorizeBucket(p ml.Principal) error {
	if p.Owner || p.IsJob() && p.Project == Project {
		return nil
	}
	return ml.Errorf(ml.PermissionDenied, "%s may not use this bucket.", p)
}
