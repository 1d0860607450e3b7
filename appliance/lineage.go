package appliance

import (
	"strings"

	"hearth/appliance/api/gcsv1"
	"hearth/ml"
	"hearth/storage/lineage"
)

// Names of principals for the bucket, which keeps them with uploads.
const (
	byOwner = "owner"
	byJob   = "job:" // and PROJECT/JOB
)

// nameOf gives the name of a principal; nobody's is empty.
func nameOf(p ml.Principal) string {
	switch {
	case p.Owner:
		return byOwner
	case p.IsJob():
		return byJob + p.Project + "/" + p.Job
	}
	return ""
}

// observe records what a job has used of the bucket. Others are not recorded.
func (a *Appliance) observe(by string, use gcsv1.Access) {
	name, ok := strings.CutPrefix(by, byJob)
	if !ok {
		return
	}
	project, job, ok := strings.Cut(name, "/")
	if !ok {
		return
	}
	a.lineage.Observe(lineage.Access{
		Job: lineageName(project, job), Bucket: use.Bucket, Name: use.Name,
		Generation: use.Generation, Bytes: use.Bytes, Write: use.Write,
	})
}

func lineageName(project, job string) string { return project + "." + job }

// jobLineage tells what a job has read and written.
func (a *Appliance) jobLineage(project, job string) (ml.Lineage, error) {
	if _, err := a.db.Job(project, job); err != nil {
		return ml.Lineage{}, err
	}
	return a.lineage.Read(lineageName(project, job))
}
