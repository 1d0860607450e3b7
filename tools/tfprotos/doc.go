// Command tfprotos writes the Go packages of TensorFlow's protocol buffers that
// the upstream Go binding imports and that upstream does not ship.
//
// It reads the .proto files of the TensorFlow module that the main go.mod
// names, and writes the packages into the nested module
// serving/tensorflow/core, which a replace directive of the main go.mod puts
// into the binding's place. It needs no protoc: compiler and generator are Go
// libraries, pinned in tools/go.mod.
//
//	go run -C tools ./tfprotos -root ..
//
// A stamp file among the generated files names what they were made from; when
// it still fits, nothing is written.
package main
