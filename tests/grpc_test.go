package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// TestGRPC_ServingClientUnmodified: the client library of TensorFlow Serving, and
// what it and the daemon's reflection say of the messages.
func TestGRPC_ServingClientUnmodified(t *testing.T) {
	client := fromEnv(t, "HEARTH_TEST_TFSERVING")
	d := newDaemon(t)
	d.model("half", "half_plus_two")
	theirs := filepath.Join(t.TempDir(), "descriptors")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(d.data, "runtimes", "2.21", "bin", "python"), "clients/tfserving/client.py",
		d.addr, d.token, filepath.Join(d.data, "tls", "ca.pem"), theirs)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+client, "TF_CPP_MIN_LOG_LEVEL=3", "CUDA_VISIBLE_DEVICES=")
	raw, err := cmd.CombinedOutput()
	out := string(raw)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"plain content [2.5, 3.0, 4.5] half 1 serving_default\n",
		"plain float_val [3.5, 3.5]\n",
		"tls content [2.5, 3.0, 4.5] half 1 serving_default\n",
		"tls float_val [3.5, 3.5]\n",
		"absent NOT_FOUND: ",
		"anonymous UNAUTHENTICATED: The request has no credentials.",
		"stranger UNAUTHENTICATED: The credentials of the request are not known here.",
		"type INVALID_ARGUMENT: input x: the value has the type DT_INT32, the model takes DT_FLOAT\n",
		`input INVALID_ARGUMENT: the signature serving_default has no input "z"; it has: x` + "\n",
		"gzip 2000.0\n",
		"classify UNIMPLEMENTED: ",
		"metadata 1 float32 [-1]\n",
		"status 1 AVAILABLE 0\n",
		"no status NOT_FOUND: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q", want)
		}
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
	compareDescriptors(t, reflected(t, d), readDescriptors(t, theirs))
}

// dialGRPC connects to the daemon; calls in the context have the owner's token.
func (d *daemon) dialGRPC() (*grpc.ClientConn, context.Context) {
	d.t.Helper()
	c, err := grpc.NewClient(d.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(d.t, err)
	d.t.Cleanup(func() { c.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	d.t.Cleanup(cancel)
	return c, metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+d.token)
}

func TestGRPC_Health(t *testing.T) {
	d := newDaemon(t)
	c, _ := d.dialGRPC()
	for _, service := range []string{"", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"} {
		r, err := healthpb.NewHealthClient(c).Check(t.Context(), &healthpb.HealthCheckRequest{Service: service})
		if err != nil || r.GetStatus() != healthpb.HealthCheckResponse_SERVING {
			t.Errorf("%q: %v, %v", service, r.GetStatus(), err)
		}
	}
}

func readDescriptors(t *testing.T, path string) *protoregistry.Files {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	set := &descriptorpb.FileDescriptorSet{}
	check(t, proto.Unmarshal(b, set))
	files, err := protodesc.NewFiles(set)
	check(t, err)
	return files
}

// reflected asks the daemon to describe its services.
func reflected(t *testing.T, d *daemon) *protoregistry.Files {
	t.Helper()
	c, ctx := d.dialGRPC()
	s, err := reflectionpb.NewServerReflectionClient(c).ServerReflectionInfo(ctx)
	check(t, err)
	set := &descriptorpb.FileDescriptorSet{}
	for _, service := range []string{"tensorflow.serving.PredictionService", "tensorflow.serving.ModelService"} {
		check(t, s.Send(&reflectionpb.ServerReflectionRequest{
			MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: service}}))
		r, err := s.Recv()
		check(t, err)
		for _, b := range r.GetFileDescriptorResponse().GetFileDescriptorProto() {
			f := &descriptorpb.FileDescriptorProto{}
			check(t, proto.Unmarshal(b, f))
			set.File = append(set.File, f)
		}
	}
	check(t, s.CloseSend())
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatalf("the files that reflection gives do not stand by themselves: %v", err)
	}
	return files
}

// compareDescriptors holds every message and service of ours in TensorFlow
// Serving's package to theirs: they may have more.
func compareDescriptors(t *testing.T, ours, theirs *protoregistry.Files) {
	t.Helper()
	compared := 0
	ours.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if f.Package() != "tensorflow.serving" {
			return true
		}
		for i := range f.Messages().Len() {
			compared++
			compareMessage(t, f.Messages().Get(i), theirs)
		}
		for i := range f.Services().Len() {
			compareService(t, f.Services().Get(i), theirs)
		}
		return true
	})
	if compared < 10 {
		t.Errorf("compared %d messages only", compared)
	}
}

func compareMessage(t *testing.T, m protoreflect.MessageDescriptor, theirs *protoregistry.Files) {
	t.Helper()
	d, err := theirs.FindDescriptorByName(m.FullName())
	if err != nil {
		t.Errorf("%s: %v", m.FullName(), err)
		return
	}
	other := d.(protoreflect.MessageDescriptor)
	for i := range m.Fields().Len() {
		have := m.Fields().Get(i)
		want := other.Fields().ByNumber(have.Number())
		if want == nil || shapeOf(have) != shapeOf(want) {
			t.Errorf("%s: ours is %s, theirs %s", have.FullName(), shapeOf(have), shapeOf(want))
		}
	}
	for i := range m.Enums().Len() {
		e := m.Enums().Get(i)
		for j := range e.Values().Len() {
			v := e.Values().Get(j)
			if o := other.Enums().ByName(e.Name()); o == nil || o.Values().ByName(v.Name()) == nil || o.Values().ByName(v.Name()).Number() != v.Number() {
				t.Errorf("%s is not so there", v.FullName())
			}
		}
	}
}

// shapeOf is all of a field that the wire and reflection know.
func shapeOf(f protoreflect.FieldDescriptor) string {
	if f == nil {
		return "nothing"
	}
	of := ""
	switch {
	case f.IsMap():
		of = shapeOf(f.MapKey()) + " to " + shapeOf(f.MapValue())
	case f.Message() != nil:
		of = string(f.Message().FullName())
	case f.Enum() != nil:
		of = string(f.Enum().FullName())
	}
	in := ""
	if o := f.ContainingOneof(); o != nil {
		in = " in " + string(o.Name())
	}
	return strings.Join([]string{f.Cardinality().String(), f.Kind().String(), of, string(f.Name()) + in}, " ")
}

func compareService(t *testing.T, s protoreflect.ServiceDescriptor, theirs *protoregistry.Files) {
	t.Helper()
	d, err := theirs.FindDescriptorByName(s.FullName())
	if err != nil {
		t.Errorf("%s: %v", s.FullName(), err)
		return
	}
	for i := range s.Methods().Len() {
		m := s.Methods().Get(i)
		o := d.(protoreflect.ServiceDescriptor).Methods().ByName(m.Name())
		if o == nil || o.Input().FullName() != m.Input().FullName() || o.Output().FullName() != m.Output().FullName() {
			t.Errorf("%s is not so there", m.FullName())
		}
	}
}
