package tensorflow

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	pb "github.com/tensorflow/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"hearth/ml"
	"hearth/serving/tensor"
)

// serveTag marks the graph of a SavedModel that is meant for serving.
const serveTag = "serve"

// Field numbers of SavedModel and MetaGraphDef.
const (
	fieldMetaGraphs   = 2 // SavedModel.meta_graphs
	fieldMetaInfo     = 1 // MetaGraphDef.meta_info_def
	fieldSignatureDef = 5 // MetaGraphDef.signature_def, a map
)

// readSignatures reads the signatures of a SavedModel's serving graph from its
// file, because the binding's own do not tell a scalar from an unknown rank.
// The graph, most of the file, is stepped over.
func readSignatures(dir string) (map[string]*tensor.Signature, error) {
	data, err := readGraphFile(dir)
	if err != nil {
		return nil, err
	}
	var tagSets []string
	var found map[string]*tensor.Signature
	err = eachField(data, fieldMetaGraphs, func(graph []byte) error {
		tags, err := tagsOf(graph)
		if err != nil {
			return err
		}
		tagSets = append(tagSets, "{"+strings.Join(tags, ", ")+"}")
		if len(tags) != 1 || tags[0] != serveTag {
			return nil
		}
		found, err = signaturesOf(graph)
		return err
	})
	if err != nil {
		return nil, ml.Errorf(ml.InvalidArgument, "%s in %s is not a SavedModel: %v", graphFile, dir, err)
	}
	if found == nil {
		return nil, ml.Errorf(ml.InvalidArgument, "the SavedModel in %s has no graph with the tag %q; its graphs have the tags: %s",
			dir, serveTag, strings.Join(tagSets, ", "))
	}
	return found, nil
}

// graphFile holds graph and signatures of a SavedModel.
const graphFile = "saved_model.pb"

func readGraphFile(dir string) ([]byte, error) {
	data, err := os.ReadFile(filepath.Join(dir, graphFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ml.Errorf(ml.InvalidArgument, "no SavedModel in %s: %s is missing", dir, graphFile)
	}
	if err != nil {
		return nil, &ml.Error{Kind: ml.Internal, Message: "read the SavedModel", Err: err}
	}
	return data, nil
}

// eachField calls f with the content of each length-delimited field of the
// given number in an encoded message.
func eachField(message []byte, number protowire.Number, f func([]byte) error) error {
	for len(message) > 0 {
		num, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
		if num == number && kind == protowire.BytesType {
			content, n := protowire.ConsumeBytes(message)
			if n < 0 {
				return protowire.ParseError(n)
			}
			if err := f(content); err != nil {
				return err
			}
			message = message[n:]
			continue
		}
		if n = protowire.ConsumeFieldValue(num, kind, message); n < 0 {
			return protowire.ParseError(n)
		}
		message = message[n:]
	}
	return nil
}

// tagsOf gives the tags of an encoded MetaGraphDef.
func tagsOf(graph []byte) ([]string, error) {
	var info pb.MetaGraphDef_MetaInfoDef
	err := eachField(graph, fieldMetaInfo, func(b []byte) error {
		return proto.UnmarshalOptions{Merge: true, DiscardUnknown: true}.Unmarshal(b, &info)
	})
	return info.GetTags(), err
}

// signaturesOf gives the signatures of an encoded MetaGraphDef, without those
// that TensorFlow keeps for itself.
func signaturesOf(graph []byte) (map[string]*tensor.Signature, error) {
	// What is left of the message is small: the signatures alone.
	var only []byte
	err := eachField(graph, fieldSignatureDef, func(b []byte) error {
		only = protowire.AppendTag(only, fieldSignatureDef, protowire.BytesType)
		only = protowire.AppendBytes(only, b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	var meta pb.MetaGraphDef
	if err := proto.Unmarshal(only, &meta); err != nil {
		return nil, err
	}
	signatures := map[string]*tensor.Signature{}
	for name, def := range meta.GetSignatureDef() {
		if strings.HasPrefix(name, "__") {
			continue
		}
		signatures[name] = &tensor.Signature{Name: name, Inputs: specs(def.GetInputs()), Outputs: specs(def.GetOutputs()), Method: def.GetMethodName()}
	}
	return signatures, nil
}

func specs(infos map[string]*pb.TensorInfo) map[string]tensor.Spec {
	out := make(map[string]tensor.Spec, len(infos))
	for alias, info := range infos {
		spec := tensor.Spec{
			Name:        alias,
			Tensor:      info.GetName(),
			DType:       tensor.DType(info.GetDtype()),
			UnknownRank: info.GetTensorShape() == nil || info.GetTensorShape().GetUnknownRank(),
		}
		for _, d := range info.GetTensorShape().GetDim() {
			spec.Shape = append(spec.Shape, d.GetSize())
		}
		out[alias] = spec
	}
	return out
}
