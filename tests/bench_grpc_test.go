package tests

import (
	"context"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protowire"

	"hearth/serving/tensor"
)

// BenchmarkPredictGRPC asks the daemon over one connection of grpc-go, beside a
// bare grpc-go echo in another process and the session run alone, interleaved.
func BenchmarkPredictGRPC(b *testing.B) {
	d := newDaemon(b)
	echo := startProgram(b, "HEARTH_BENCH_GRPC")
	const model = "half_plus_two"
	d.model(model, model)
	run := session(b, model)
	request := predictRequest(model)
	for range b.N {
		var ours, floor []time.Duration
		for range 5 {
			ours = append(ours, d.calls(b, d.addr, request)...)
			floor = append(floor, d.calls(b, echo, request)...)
		}
		session := medianOf(2000, run)
		limit := quantile(floor, 0.5) + session + 50*time.Microsecond // for the way to the worker and back
		b.ReportMetric(us(quantile(ours, 0.5)), "p50-µs")
		b.ReportMetric(us(quantile(ours, 0.99)), "p99-µs")
		b.ReportMetric(us(quantile(floor, 0.5)), "echo-p50-µs")
		b.ReportMetric(us(quantile(floor, 0.99)), "echo-p99-µs")
		b.ReportMetric(us(session), "session-µs")
		b.ReportMetric(float64(quantile(ours, 0.5))/float64(limit), "ratio-to-echo+session+50µs")
	}
}

// predictRequest is an encoded PredictRequest with one number.
func predictRequest(model string) []byte {
	field := func(number protowire.Number, content []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
	}
	x := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(tensor.Float32))
	x = append(x, field(2, field(2, []byte{8, 1}))...) // a shape of one dimension of size 1
	x = append(x, field(5, []byte{0, 0, 0x80, 0x3f})...)
	return append(field(1, field(1, []byte(model))), field(2, append(field(1, []byte("x")), field(2, x)...))...)
}

// calls calls Predict for one second and gives each call's time.
func (d *daemon) calls(b *testing.B, addr string, request []byte) []time.Duration {
	b.Helper()
	c, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})))
	check(b, err)
	defer c.Close()
	ctx := metadata.AppendToOutgoingContext(b.Context(), "authorization", "Bearer "+d.token)
	call := func() {
		var out mem.BufferSlice
		check(b, c.Invoke(ctx, "/tensorflow.serving.PredictionService/Predict", mem.BufferSlice{mem.SliceBuffer(request)}, &out))
		out.Free()
	}
	call() // connects
	var times []time.Duration
	end := time.Now().Add(time.Second)
	for began := time.Now(); began.Before(end); {
		call()
		now := time.Now()
		times = append(times, now.Sub(began))
		began = now
	}
	return times
}

// rawCodec gives messages on as they are.
type rawCodec struct{}

func (rawCodec) Name() string                           { return proto.Name }
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) { return v.(mem.BufferSlice), nil }
func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	data.Ref()
	*v.(*mem.BufferSlice) = data
	return nil
}

var _ encoding.CodecV2 = rawCodec{}

// serveEchoGRPC answers Predict with its request.
func serveEchoGRPC(l net.Listener) error {
	s := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}))
	echo := func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var in mem.BufferSlice
		err := decode(&in)
		return in, err
	}
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "tensorflow.serving.PredictionService", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Predict", Handler: echo}}}, nil)
	return s.Serve(l)
}
