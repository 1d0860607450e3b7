module hearth

go 1.26.8

require (
	github.com/tensorflow/tensorflow v2.11.0+incompatible
	github.com/tensorflow/tensorflow/tensorflow/go/core v0.0.0
)

require (
	github.com/google/go-cmp v0.7.0 // indirect
	github.com/pelletier/go-toml/v2 v2.4.3 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	golang.org/x/sys v0.45.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace github.com/tensorflow/tensorflow/tensorflow/go/core => ./serving/tensorflow/core
