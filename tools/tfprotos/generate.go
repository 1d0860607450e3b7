package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/cmd/protoc-gen-go/internal_gengo"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/pluginpb"
)

// generate compiles the roots found under protoDir with all that they import
// and gives the generated Go files, by their paths inside the nested module.
func generate(ctx context.Context, protoDir string) (map[string][]byte, error) {
	compiler := protocompile.Compiler{
		Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{protoDir}}),
	}
	compiled, err := compiler.Compile(ctx, roots...)
	if err != nil {
		return nil, fmt.Errorf("compile TensorFlow's protos: %w", err)
	}
	request := &pluginpb.CodeGeneratorRequest{Parameter: proto.String("module=" + coreModule)}
	seen := map[string]bool{}
	for _, f := range compiled {
		addFile(request, seen, f)
	}
	plugin, err := protogen.Options{}.New(request)
	if err != nil {
		return nil, fmt.Errorf("read the compiled protos: %w", err)
	}
	for _, f := range plugin.Files {
		if f.Generate {
			internal_gengo.GenerateFile(plugin, f)
		}
	}
	response := plugin.Response()
	if response.Error != nil {
		return nil, errors.New(response.GetError())
	}
	files := map[string][]byte{}
	for _, f := range response.File {
		files[f.GetName()] = []byte(f.GetContent())
	}
	return files, nil
}

// addFile puts a file behind all that it imports, the order that protogen
// wants. Google's own well-known types have Go packages already.
func addFile(request *pluginpb.CodeGeneratorRequest, seen map[string]bool, f protoreflect.FileDescriptor) {
	if seen[f.Path()] {
		return
	}
	seen[f.Path()] = true
	imports := f.Imports()
	for i := range imports.Len() {
		addFile(request, seen, imports.Get(i).FileDescriptor)
	}
	request.ProtoFile = append(request.ProtoFile, protoutil.ProtoFromFileDescriptor(f))
	if !strings.HasPrefix(f.Path(), "google/") {
		request.FileToGenerate = append(request.FileToGenerate, f.Path())
	}
}
