package appliance

import (
	"net"
	"net/http"

	"hearth/appliance/api"
	"hearth/appliance/api/mlv1"
	"hearth/appliance/api/tfserving"
	"hearth/serving"
	"hearth/serving/frame"
	"hearth/serving/handover"
)

// lend says whether the connection of a request that may be made can be lent to the
// worker of the version that it is for.
func (a *Appliance) lend(r *http.Request) api.Loan {
	if project, model, version, ok := mlv1.Predicts(r); ok {
		if hasProject(project) {
			return loan(a.serving.Lend(project, model, version, frame.AIPlatform))
		}
		return nil
	}
	model, versions, ok := tfserving.Predicts(r)
	if !ok {
		return nil
	}
	for _, version := range versions {
		if l, ok := a.serving.Lend(Project, model, version, frame.TFServing); ok {
			return l
		}
	}
	return nil
}

// loan keeps a nil from becoming an api.Loan that is not nil.
func loan(l serving.Loan, ok bool) api.Loan {
	if !ok {
		return nil
	}
	return l
}

// returned gives what takes connections back that were lent, nil if none are to be.
func (a *Appliance) returned() func(c *net.TCPConn, read []byte, why handover.Reason) {
	if !a.config.Predict.HandOver {
		return nil
	}
	// Nothing is lent before there is a front door.
	return func(c *net.TCPConn, read []byte, why handover.Reason) { a.door.Return(c, read, why) }
}
