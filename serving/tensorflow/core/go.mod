// The generated Go packages of TensorFlow's protocol buffers, which the upstream
// binding imports and upstream does not ship. Only this file is kept in version
// control; tools/tfprotos writes the rest.
module github.com/tensorflow/tensorflow/tensorflow/go/core

go 1.26.8

require google.golang.org/protobuf v1.36.12
