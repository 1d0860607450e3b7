package api

import (
	"context"

	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"hearth/ml"
)

// health says whether the daemon is ready: the gRPC sibling of /readyz, for
// anybody. Watch is left out; by the protocol, clients then take the server for
// healthy as long as it answers.
type health struct {
	healthpb.UnimplementedHealthServer
	ready    func() error
	services func() map[string]grpc.ServiceInfo
}

// Check implements grpc_health_v1.HealthServer.
func (h *health) Check(_ context.Context, r *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	if name := r.GetService(); name != "" {
		if _, ok := h.services()[name]; !ok {
			return nil, ml.Errorf(ml.NotFound, "There is no service %q.", name)
		}
	}
	if h.ready() != nil {
		return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_NOT_SERVING}, nil
	}
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}
