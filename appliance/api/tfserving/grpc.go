package tfserving

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"

	"hearth/ml"
	"hearth/serving"
	"hearth/serving/frame"
)

// Names of the services, as clients call them.
const (
	predictionService = "tensorflow.serving.PredictionService"
	modelService      = "tensorflow.serving.ModelService"
)

// call answers one call. Messages are as they are on the wire: the tensors in them
// are the worker's business.
type call func(a *api, ctx context.Context, request []byte) (mem.BufferSlice, error)

// NewGRPC makes TensorFlow Serving's gRPC services over the models of one project:
// a function that puts them on a server, whose codec must give and take a
// mem.BufferSlice as it is. o.MaxBody is the server's affair there.
func NewGRPC(o Options) func(grpc.ServiceRegistrar) {
	a := &api{o}
	const ask = "ask with Predict and a signature_name"
	return func(r grpc.ServiceRegistrar) {
		register(r, a, predictionService, map[string]call{
			"Predict": (*api).grpcPredict, "GetModelMetadata": (*api).grpcMetadata,
			"Classify": unanswered(ask), "Regress": unanswered(ask), "MultiInference": unanswered(ask),
		})
		register(r, a, modelService, map[string]call{
			"GetModelStatus":            (*api).grpcStatus,
			"HandleReloadConfigRequest": unanswered("versions are created and deleted by the API of ml.googleapis.com"),
		})
	}
}

// Guests says whether a method asks [Options.Authorize] by itself what its caller may
// do.
func Guests(method string) bool {
	return strings.HasPrefix(method, "/"+predictionService+"/") || strings.HasPrefix(method, "/"+modelService+"/")
}

func register(r grpc.ServiceRegistrar, a *api, service string, calls map[string]call) {
	d := &grpc.ServiceDesc{ServiceName: service, HandlerType: (*any)(nil), Metadata: descriptorFiles[service]}
	for name, c := range calls {
		d.Methods = append(d.Methods, method(service, name, c))
	}
	r.RegisterService(d, a)
}

// method is what generated code is elsewhere.
func method(service, name string, c call) grpc.MethodDesc {
	handle := func(srv any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		var in mem.BufferSlice
		if err := decode(&in); err != nil {
			return nil, err
		}
		request := in.MaterializeToBuffer(mem.DefaultBufferPool())
		in.Free()
		defer request.Free()
		answer := func(ctx context.Context, _ any) (any, error) { return c(srv.(*api), ctx, request.ReadOnlyData()) }
		if intercept == nil {
			return answer(ctx, nil)
		}
		return intercept(ctx, nil, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/" + service + "/" + name}, answer)
	}
	return grpc.MethodDesc{MethodName: name, Handler: handle}
}

// unanswered is a method that there is elsewhere.
func unanswered(instead string) call {
	return func(*api, context.Context, []byte) (mem.BufferSlice, error) {
		return nil, ml.Errorf(ml.Unimplemented, "This server does not answer the method; %s.", instead)
	}
}

// grpcPredict hands a PredictRequest to the version that it is for and its answer
// back, with the model_spec, which the worker cannot know.
func (a *api) grpcPredict(ctx context.Context, request []byte) (mem.BufferSlice, error) {
	spec, err := a.readSpec(ctx, request, ml.PermissionModelPredict)
	if err != nil {
		return nil, err
	}
	answer, err := a.ask(ctx, spec.address, serving.PredictRequest{Method: frame.GRPCPredict, Body: request})
	if err != nil {
		return nil, err
	}
	defer answer.Release()
	spec.answeredBy(answer.Version)
	// A copy: the client may take its time, and the answer holds up a worker's
	// connection.
	return encoded(len(answer.Body)+spec.size(), func(dst []byte) []byte {
		return spec.append(append(dst, answer.Body...), responseSpec)
	}), nil
}

// grpcMetadata gives the signatures of a version.
func (a *api) grpcMetadata(ctx context.Context, request []byte) (mem.BufferSlice, error) {
	spec, err := a.readSpec(ctx, request, ml.PermissionModelGet)
	if err != nil {
		return nil, err
	}
	if err := checkMetadataFields(request); err != nil {
		return nil, err
	}
	answer, err := a.ask(ctx, spec.address, serving.PredictRequest{Method: frame.GRPCMetadata})
	if err != nil {
		return nil, err
	}
	defer answer.Release()
	spec.signature = ""
	spec.version(answer.Version)
	return encoded(len(answer.Body)+spec.size(), func(dst []byte) []byte {
		return appendMetadata(spec.append(dst, requestSpec), answer.Body)
	}), nil
}

// grpcStatus tells how far the versions are that a request means.
func (a *api) grpcStatus(ctx context.Context, request []byte) (mem.BufferSlice, error) {
	spec, err := a.readSpec(ctx, request, ml.PermissionModelGet)
	if err != nil {
		return nil, err
	}
	statuses, err := a.statuses(spec.address)
	if err != nil {
		return nil, err
	}
	return encoded(0, func(dst []byte) []byte {
		for _, s := range statuses {
			dst = appendStatus(dst, s)
		}
		return dst
	}), nil
}

// readSpec reads which model is meant, with which the caller may do something.
func (a *api) readSpec(ctx context.Context, request []byte, permission string) (spec, error) {
	s, err := readSpec(request)
	if err == nil {
		err = a.Authorize(ctx, s.model, permission)
	}
	return s, err
}

// encoded makes an answer of what fill appends, of about the size.
func encoded(size int, fill func(dst []byte) []byte) mem.BufferSlice {
	pool := mem.DefaultBufferPool()
	b := pool.Get(size)
	*b = fill((*b)[:0])
	return mem.BufferSlice{mem.NewBuffer(b, pool)}
}
