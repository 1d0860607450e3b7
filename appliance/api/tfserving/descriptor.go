package tfserving

import (
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	_ "google.golang.org/protobuf/types/known/anypb"      // imported by the files below
	_ "google.golang.org/protobuf/types/known/wrapperspb" // the same
)

// descriptorFiles are the files that declare the services.
var descriptorFiles = map[string]string{
	predictionService: "tensorflow_serving/apis/prediction_service.proto",
	modelService:      "tensorflow_serving/apis/model_service.proto",
}

// Descriptors describes the services to server reflection: what of TensorFlow
// Serving's messages is known here, and TensorFlow's own messages where the program
// has them.
func Descriptors() protodesc.Resolver { return descriptors() }

var descriptors = sync.OnceValue(func() resolver {
	r := resolver{new(protoregistry.Files)}
	for _, f := range servingFiles() {
		// Nothing here can depend on who asks: what is wrong is wrong in the code.
		d, err := protodesc.FileOptions{AllowUnresolvable: true}.New(f, r)
		if err == nil {
			err = r.own.RegisterFile(d)
		}
		if err != nil {
			panic(fmt.Sprintf("describe %s: %v", f.GetName(), err))
		}
	}
	return r
})

// resolver finds our files before all others of the program.
type resolver struct{ own *protoregistry.Files }

// FindFileByPath implements protodesc.Resolver.
func (r resolver) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if d, err := r.own.FindFileByPath(path); err == nil {
		return d, nil
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

// FindDescriptorByName implements protodesc.Resolver.
func (r resolver) FindDescriptorByName(name protoreflect.FullName) (protoreflect.Descriptor, error) {
	if d, err := r.own.FindDescriptorByName(name); err == nil {
		return d, nil
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}

// Files of TensorFlow's that those of TensorFlow Serving import.
const (
	fileTensor    = "tensorflow/core/framework/tensor.proto"
	fileMetaGraph = "tensorflow/core/protobuf/meta_graph.proto"
	fileErrors    = "tensorflow/core/protobuf/error_codes.proto"
	fileAny       = "google/protobuf/any.proto"
	fileWrappers  = "google/protobuf/wrappers.proto"
	fileModel     = "tensorflow_serving/apis/model.proto"
	filePredict   = "tensorflow_serving/apis/predict.proto"
	fileMetadata  = "tensorflow_serving/apis/get_model_metadata.proto"
	fileStatus    = "tensorflow_serving/apis/get_model_status.proto"
	fileError     = "tensorflow_serving/util/status.proto"
)

const (
	typeString  = descriptorpb.FieldDescriptorProto_TYPE_STRING
	typeInt64   = descriptorpb.FieldDescriptorProto_TYPE_INT64
	typeEnum    = descriptorpb.FieldDescriptorProto_TYPE_ENUM
	typeMessage = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE

	pkgServing = ".tensorflow.serving."
)

// servingFiles are the interface's messages and services, each file after those
// that it imports.
func servingFiles() []*descriptorpb.FileDescriptorProto {
	spec := field(1, "model_spec", typeMessage, pkgServing+"ModelSpec")
	const tensorProto = ".tensorflow.TensorProto"
	return []*descriptorpb.FileDescriptorProto{
		errorCodes(),
		file(fileModel, []string{fileWrappers}, modelSpecMessage()),
		file(filePredict, []string{fileTensor, fileModel},
			withMap(message("PredictRequest", spec, repeated(field(3, "output_filter", typeString, ""))), 2, "inputs", tensorProto),
			withMap(message("PredictResponse", field(2, "model_spec", typeMessage, pkgServing+"ModelSpec")), 1, "outputs", tensorProto)),
		file(fileMetadata, []string{fileAny, fileMetaGraph, fileModel},
			withMap(message("SignatureDefMap"), 1, "signature_def", ".tensorflow.SignatureDef"),
			message("GetModelMetadataRequest", spec, repeated(field(2, "metadata_field", typeString, ""))),
			withMap(message("GetModelMetadataResponse", spec), 2, "metadata", ".google.protobuf.Any")),
		file(fileError, []string{fileErrors},
			message("StatusProto", field(1, "error_code", typeEnum, ".tensorflow.error.Code"), field(2, "error_message", typeString, ""))),
		file(fileStatus, []string{fileModel, fileError},
			message("GetModelStatusRequest", spec),
			versionStatusMessage(),
			message("GetModelStatusResponse", repeated(field(1, "model_version_status", typeMessage, pkgServing+"ModelVersionStatus")))),
		service("PredictionService", []string{filePredict, fileMetadata}, "Predict", "Predict", "GetModelMetadata", "GetModelMetadata"),
		service("ModelService", []string{fileStatus}, "GetModelStatus", "GetModelStatus"),
	}
}

func modelSpecMessage() *descriptorpb.DescriptorProto {
	version, label := field(2, "version", typeMessage, ".google.protobuf.Int64Value"), field(4, "version_label", typeString, "")
	version.OneofIndex, label.OneofIndex = new(int32), new(int32)
	m := message("ModelSpec", field(1, "name", typeString, ""), version, label, field(3, "signature_name", typeString, ""))
	m.OneofDecl = []*descriptorpb.OneofDescriptorProto{{Name: proto.String("version_choice")}}
	return m
}

func versionStatusMessage() *descriptorpb.DescriptorProto {
	m := message("ModelVersionStatus", field(1, "version", typeInt64, ""),
		field(2, "state", typeEnum, pkgServing+"ModelVersionStatus.State"), field(3, "status", typeMessage, pkgServing+"StatusProto"))
	m.EnumType = []*descriptorpb.EnumDescriptorProto{enum("State", "UNKNOWN", 0, "START", 10, "LOADING", 20, "AVAILABLE", 30, "UNLOADING", 40, "END", 50)}
	return m
}

// errorCodes declares the values of google.rpc.Code under the name that TensorFlow
// has for them.
func errorCodes() *descriptorpb.FileDescriptorProto {
	f := file(fileErrors, nil)
	f.Package = proto.String("tensorflow.error")
	f.EnumType = []*descriptorpb.EnumDescriptorProto{enum("Code", "OK", 0, "CANCELLED", 1, "UNKNOWN", 2, "INVALID_ARGUMENT", 3,
		"DEADLINE_EXCEEDED", 4, "NOT_FOUND", 5, "ALREADY_EXISTS", 6, "PERMISSION_DENIED", 7, "UNAUTHENTICATED", 16,
		"RESOURCE_EXHAUSTED", 8, "FAILED_PRECONDITION", 9, "ABORTED", 10, "OUT_OF_RANGE", 11, "UNIMPLEMENTED", 12,
		"INTERNAL", 13, "UNAVAILABLE", 14, "DATA_LOSS", 15)}
	return f
}

func file(name string, imports []string, messages ...*descriptorpb.DescriptorProto) *descriptorpb.FileDescriptorProto {
	return &descriptorpb.FileDescriptorProto{
		Name: &name, Package: proto.String("tensorflow.serving"), Syntax: proto.String("proto3"), Dependency: imports, MessageType: messages,
	}
}

// service declares a service in a file of its own; methods are pairs of a method
// and the stem of its messages.
func service(name string, imports []string, methods ...string) *descriptorpb.FileDescriptorProto {
	s := &descriptorpb.ServiceDescriptorProto{Name: &name}
	for i := 0; i < len(methods); i += 2 {
		s.Method = append(s.Method, &descriptorpb.MethodDescriptorProto{
			Name: &methods[i], InputType: proto.String(pkgServing + methods[i+1] + "Request"), OutputType: proto.String(pkgServing + methods[i+1] + "Response"),
		})
	}
	f := file(descriptorFiles["tensorflow.serving."+name], imports)
	f.Service = []*descriptorpb.ServiceDescriptorProto{s}
	return f
}

func message(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
	return &descriptorpb.DescriptorProto{Name: &name, Field: fields}
}

// field declares a field; of is the type's name where it is a message or an enum.
func field(number int32, name string, kind descriptorpb.FieldDescriptorProto_Type, of string) *descriptorpb.FieldDescriptorProto {
	f := &descriptorpb.FieldDescriptorProto{
		Number: &number, Name: &name, Type: &kind, Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	if of != "" {
		f.TypeName = &of
	}
	return f
}

func repeated(f *descriptorpb.FieldDescriptorProto) *descriptorpb.FieldDescriptorProto {
	f.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	return f
}

// withMap adds a map from strings to messages to m.
func withMap(m *descriptorpb.DescriptorProto, number int32, name, of string) *descriptorpb.DescriptorProto {
	entry := message(mapEntryName(name), field(1, "key", typeString, ""), field(2, "value", typeMessage, of))
	entry.Options = &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)}
	m.NestedType = append(m.NestedType, entry)
	m.Field = append(m.Field, repeated(field(number, name, typeMessage, pkgServing+m.GetName()+"."+entry.GetName())))
	return m
}

// mapEntryName is the name that the entries of a map must have: MyMapEntry for
// my_map.
func mapEntryName(name string) string {
	var b []byte
	upper := true
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '_':
			upper = true
			continue
		case upper:
			c -= 'a' - 'A'
		}
		upper = false
		b = append(b, c)
	}
	return string(b) + "Entry"
}

func enum(name string, values ...any) *descriptorpb.EnumDescriptorProto {
	e := &descriptorpb.EnumDescriptorProto{Name: &name}
	for i := 0; i < len(values); i += 2 {
		e.Value = append(e.Value, &descriptorpb.EnumValueDescriptorProto{
			Name: proto.String(values[i].(string)), Number: proto.Int32(int32(values[i+1].(int))),
		})
	}
	return e
}
