package appliance

import (
	"hearth/ml"
	"hearth/storage/metrics"
)

// jobUsage tells what the replicas of a job's newest attempt have used.
func (a *Appliance) jobUsage(project, job string) (ml.Usage, error) {
	u := ml.Usage{Job: job, Replicas: []ml.ReplicaUsage{}}
	attempt, err := a.db.LatestAttempt(project, job)
	if err != nil {
		return u, err
	}
	for _, r := range attempt.Replicas {
		usage, err := metrics.Read(a.supervisor.Folder(attempt.ID + "/" + r.Task()))
		if err != nil {
			return u, err
		}
		u.Replicas = append(u.Replicas, usage)
	}
	return u, nil
}
