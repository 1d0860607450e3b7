package tfserving_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	// The program has TensorFlow's messages; reflection shows them.
	_ "github.com/tensorflow/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"hearth/appliance/api"
	"hearth/appliance/api/tfserving"
	"hearth/ml"
	"hearth/serving"
	"hearth/serving/frame"
)

// fleet is the versions of a model m, the first of them the default one; what is
// asked of a version is kept.
type fleet struct {
	versions []*ml.Version
	asked    serving.PredictRequest
	deadline bool
}

func (f *fleet) Model(_, id string) (*ml.Model, error) {
	if id != "m" {
		return nil, ml.Errorf(ml.NotFound, "no model %s", id)
	}
	return &ml.Model{Name: "m", DefaultVersion: f.versions[0]}, nil
}

func (f *fleet) Version(project, model, id string) (*ml.Version, error) {
	if _, err := f.Model(project, model); err != nil {
		return nil, err
	}
	for _, v := range f.versions {
		if ml.LastSegment(v.Name) == id {
			return v, nil
		}
	}
	return nil, ml.Errorf(ml.NotFound, "no version %s", id)
}

func (f *fleet) Versions(project, model string, _ int, _ string) ([]*ml.Version, string, error) {
	_, err := f.Model(project, model)
	return f.versions, "", err
}

func (f *fleet) Predict(ctx context.Context, r serving.PredictRequest) (serving.PredictResponse, error) {
	version := r.Version
	if version == "" {
		version = ml.LastSegment(f.versions[0].Name)
	}
	if _, err := f.Version(r.Project, r.Model, version); err != nil {
		return serving.PredictResponse{}, err
	}
	f.asked = r
	f.asked.Body = nil
	_, f.deadline = ctx.Deadline()
	answer := serving.PredictResponse{Version: version, Status: 200, Release: func() {}}
	if r.Method == frame.GRPCPredict {
		answer.Body = []byte("\x0a\x05\x0a\x01y\x12\x00") // an output y, of nothing
	}
	return answer, nil
}

func newFleet() *fleet {
	version := func(name string, state ml.VersionState, labels map[string]string) *ml.Version {
		return &ml.Version{Name: ml.VersionName("hearth", "m", name), State: state, Labels: labels}
	}
	failed := version("v3", ml.VersionFailed, nil)
	failed.ErrorMessage = "it is broken"
	return &fleet{versions: []*ml.Version{version("v1", ml.VersionReady, nil), version("2", ml.VersionReady, map[string]string{"stable": ""}), failed}}
}

type anybody struct{}

func (anybody) Bearer(token string) (ml.Principal, bool) { return ml.Principal{Owner: true}, true }
func (anybody) Basic(_, _ string) (ml.Principal, bool)   { return ml.Principal{}, false }

// dial serves the fleet by the front door and connects to it.
func dial(t *testing.T, f *fleet) *grpc.ClientConn {
	t.Helper()
	door, err := api.Listen(api.Options{Address: "127.0.0.1:0", TLSDir: filepath.Join(t.TempDir(), "tls"), Auth: anybody{}, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	door.Mount(api.Handlers{Ready: func() error { return nil }, GRPC: api.GRPC{
		Register:    tfserving.NewGRPC(tfserving.Options{Project: "hearth", Reader: f, Predictor: f, Authorize: func(context.Context, string, string) error { return nil }}),
		Descriptors: tfserving.Descriptors(), MaxMessage: 1 << 20,
	}})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- door.Run(ctx) }()
	c, err := grpc.NewClient(door.Addr().(*net.TCPAddr).String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return c
}

// invoke calls a method with a message in text form and gives the answer so.
func invoke(t *testing.T, c *grpc.ClientConn, method, request string) (string, error) {
	t.Helper()
	service, name, _ := strings.Cut(method, "/")
	d, err := tfserving.Descriptors().FindDescriptorByName(protoreflect.FullName("tensorflow.serving." + service))
	if err != nil {
		t.Fatal(err)
	}
	m := d.(protoreflect.ServiceDescriptor).Methods().ByName(protoreflect.Name(name))
	in, out := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	if err := prototext.Unmarshal([]byte(request), in); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer x")
	err = c.Invoke(ctx, "/tensorflow.serving."+method, in, out)
	return strings.Join(strings.Fields(prototext.MarshalOptions{}.Format(out)), " "), err
}

func TestGRPC(t *testing.T) {
	f := newFleet()
	c := dial(t, f)
	for name, tc := range map[string]struct {
		method, request string
		code            codes.Code
		want            string
	}{
		"default": {"PredictionService/Predict", `model_spec {name: "m"}`, codes.OK,
			`model_spec:{name:"m" version:{value:1} signature_name:"serving_default"} outputs:{key:"y" value:{}}`},
		"number": {"PredictionService/Predict", `model_spec {name: "m" version {value: 2} signature_name: "s"}`, codes.OK,
			`model_spec:{name:"m" version:{value:2} signature_name:"s"}`},
		"vN":             {"PredictionService/Predict", `model_spec {name: "m" version {value: 1}}`, codes.OK, `version:{value:1}`},
		"label":          {"PredictionService/Predict", `model_spec {name: "m" version_label: "stable"}`, codes.OK, `version:{value:2}`},
		"no label":       {"PredictionService/Predict", `model_spec {name: "m" version_label: "x"}`, codes.NotFound, "label: x"},
		"no version":     {"PredictionService/Predict", `model_spec {name: "m" version {value: 7}}`, codes.NotFound, "no version v7"},
		"negative":       {"PredictionService/Predict", `model_spec {name: "m" version {value: -1}}`, codes.NotFound, "no version -1"},
		"no model":       {"PredictionService/Predict", `model_spec {name: "x"}`, codes.NotFound, "no model x"},
		"no name":        {"PredictionService/Predict", ``, codes.InvalidArgument, "names no model"},
		"metadata":       {"PredictionService/GetModelMetadata", `model_spec {name: "m"} metadata_field: "signature_def"`, codes.OK, `model_spec:{name:"m" version:{value:1}} metadata:{key:"signature_def" value:{`},
		"no field":       {"PredictionService/GetModelMetadata", `model_spec {name: "m"}`, codes.InvalidArgument, "no metadata_field"},
		"unknown field":  {"PredictionService/GetModelMetadata", `model_spec {name: "m"} metadata_field: "x"`, codes.InvalidArgument, `no metadata "x"`},
		"status":         {"ModelService/GetModelStatus", `model_spec {name: "m"}`, codes.OK, `model_version_status:{version:3 state:END status:{error_code:UNKNOWN error_message:"it is broken"}} model_version_status:{version:2 state:AVAILABLE status:{}} model_version_status:{version:1 state:AVAILABLE status:{}}`},
		"status of one":  {"ModelService/GetModelStatus", `model_spec {name: "m" version {value: 3}}`, codes.OK, `model_version_status:{version:3 state:END`},
		"status of none": {"ModelService/GetModelStatus", `model_spec {name: "x"}`, codes.NotFound, "no model x"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := invoke(t, c, tc.method, tc.request)
			if err != nil {
				got = status.Convert(err).Message()
			}
			if status.Code(err) != tc.code || !strings.Contains(got, tc.want) {
				t.Errorf("%v: %s", err, got)
			}
		})
	}
	if _, err := invoke(t, c, "PredictionService/Predict", `model_spec {name: "m"}`); err != nil || f.asked.Method != frame.GRPCPredict || f.asked.Project != "hearth" || !f.deadline {
		t.Errorf("%v, asked %+v, with a deadline: %v", err, f.asked, f.deadline)
	}
}

// Methods that there are elsewhere say what to do here.
func TestGRPC_Unanswered(t *testing.T) {
	c := dial(t, newFleet())
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer x")
	d, err := tfserving.Descriptors().FindDescriptorByName("tensorflow.serving.ModelSpec")
	if err != nil {
		t.Fatal(err)
	}
	for method, want := range map[string]string{
		"PredictionService/Classify": "ask with Predict", "PredictionService/Regress": "ask with Predict",
		"PredictionService/MultiInference": "ask with Predict", "ModelService/HandleReloadConfigRequest": "versions are created",
	} {
		m := dynamicpb.NewMessage(d.(protoreflect.MessageDescriptor))
		err := c.Invoke(ctx, "/tensorflow.serving."+method, m, m)
		if status.Code(err) != codes.Unimplemented || !strings.Contains(status.Convert(err).Message(), want) {
			t.Errorf("%s: %v", method, err)
		}
	}
}
