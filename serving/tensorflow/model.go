package tensorflow

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	tf "github.com/tensorflow/tensorflow/tensorflow/go"
	pb "github.com/tensorflow/tensorflow/tensorflow/go/core/protobuf/for_core_protos_go_proto"
	"google.golang.org/protobuf/proto"

	"hearth/ml"
	"hearth/serving/tensor"
)

// Model is a SavedModel in memory. Its methods may be called from many
// goroutines at once.
type Model struct {
	session    *tf.Session
	signatures map[string]*tensor.Signature
	calls      map[*tensor.Signature]*call
	closed     sync.Once
	closeErr   error
}

// call holds what a signature stands for in the graph, resolved once.
type call struct {
	inputs   map[string]tf.Output
	required []string    // the inputs without a default in the graph
	outputs  []tf.Output // in the order of Signature.OutputNames
	// passed has, by number, the outputs that are inputs passed through, such as the
	// keys of instances, and whose they are.
	passed map[int]string
}

// Load reads the SavedModel in a folder, the graph with the tag "serve", and
// runs its initialisation. A folder that holds no usable SavedModel gives an
// INVALID_ARGUMENT that says what is wrong with it.
//
// The two numbers are the session's inter_op_parallelism_threads (-1: a graph's
// operations run in the thread that asks, which for small models costs less than
// handing them to a pool) and intra_op_parallelism_threads; 0 means one for each
// processor.
func Load(dir string, interOp, intraOp int32) (*Model, error) {
	if err := requireLibrary(); err != nil {
		return nil, err
	}
	signatures, err := readSignatures(dir)
	if err != nil {
		return nil, err
	}
	config, err := proto.Marshal(&pb.ConfigProto{InterOpParallelismThreads: interOp, IntraOpParallelismThreads: intraOp})
	if err != nil {
		return nil, fmt.Errorf("encode the session's configuration: %w", err)
	}
	saved, err := tf.LoadSavedModel(dir, []string{serveTag}, &tf.SessionOptions{Config: config})
	if err != nil {
		return nil, explainLoad(err)
	}
	if err := checkVariables(dir, saved.Graph); err != nil {
		saved.Session.Close()
		return nil, err
	}
	m := &Model{session: saved.Session, signatures: signatures, calls: map[*tensor.Signature]*call{}}
	for _, s := range signatures {
		if m.calls[s], err = resolve(saved.Graph, s); err != nil {
			m.Close()
			return nil, err
		}
	}
	return m, nil
}

// checkVariables finds the SavedModel whose variables did not come along:
// TensorFlow takes a missing file for a model without variables, and only every
// run fails.
func checkVariables(dir string, graph *tf.Graph) error {
	index := filepath.Join("variables", "variables.index")
	if _, err := os.Stat(filepath.Join(dir, index)); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, op := range graph.Operations() {
		switch op.Type() {
		case "VarHandleOp", "VariableV2", "Variable":
			return ml.Errorf(ml.InvalidArgument, "the SavedModel in %s has variables, but %s is missing", dir, index)
		}
	}
	return nil
}

// resolve finds the tensors of a signature in the graph.
func resolve(graph *tf.Graph, s *tensor.Signature) (*call, error) {
	c := &call{inputs: make(map[string]tf.Output, len(s.Inputs)), passed: map[int]string{}}
	for alias, spec := range s.Inputs {
		output, err := find(graph, spec.Tensor)
		if err != nil {
			return nil, ml.Errorf(ml.InvalidArgument, "signature %s, input %s: %v", s.Name, alias, err)
		}
		c.inputs[alias] = output
		if output.Op.Type() == "Placeholder" {
			c.required = append(c.required, alias)
		}
	}
	slices.Sort(c.required)
	for _, alias := range s.OutputNames() {
		output, err := find(graph, s.Outputs[alias].Tensor)
		if err != nil {
			return nil, ml.Errorf(ml.InvalidArgument, "signature %s, output %s: %v", s.Name, alias, err)
		}
		for input, fed := range c.inputs {
			if fed.Op.Name() == output.Op.Name() && fed.Index == output.Index {
				c.passed[len(c.outputs)] = input
			}
		}
		c.outputs = append(c.outputs, output)
	}
	return c, nil
}

// find gives the graph's tensor of a name such as "op:0" or "op".
func find(graph *tf.Graph, name string) (tf.Output, error) {
	op, number, _ := strings.Cut(name, ":")
	index := 0
	if number != "" {
		var err error
		if index, err = strconv.Atoi(number); err != nil {
			return tf.Output{}, fmt.Errorf("%q is not the name of a tensor", name)
		}
	}
	operation := graph.Operation(op)
	if operation == nil || index < 0 || index >= operation.NumOutputs() {
		return tf.Output{}, fmt.Errorf("the graph has no tensor %q", name)
	}
	return operation.Output(index), nil
}

// Signatures gives the model's signatures by name, without those that
// TensorFlow keeps for itself. The caller must not change them.
func (m *Model) Signatures() map[string]*tensor.Signature { return m.signatures }

// Run runs a signature of this model on inputs by alias and gives the outputs
// in the order of [tensor.Signature.OutputNames]. An input that is left out
// must have a default in the graph. A graph that refuses its inputs gives an
// INVALID_ARGUMENT. A run that has begun does not end before its time: ctx is
// looked at only before.
func (m *Model) Run(ctx context.Context, sig *tensor.Signature, inputs map[string]*tensor.Tensor) ([]*tensor.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c := m.calls[sig]
	if c == nil {
		return nil, ml.Errorf(ml.Internal, "signature %s is not of this model", sig.Name)
	}
	feeds, err := c.feed(sig, inputs)
	if err != nil {
		return nil, err
	}
	outputs, fetches := c.fetches(inputs)
	fetched, err := m.runSession(feeds, fetches)
	if err != nil {
		return nil, ml.Errorf(ml.InvalidArgument, "Failed to run the provided model: Exception during running the graph: %v (Error code: 2)", err)
	}
	for i, t := range outputs {
		if t != nil {
			continue
		}
		if outputs[i], err = fromTensorFlow(fetched[0]); err != nil {
			return nil, fmt.Errorf("output %s: %w", sig.OutputNames()[i], err)
		}
		fetched = fetched[1:]
	}
	return outputs, nil
}

func (m *Model) runSession(feeds map[tf.Output]*tf.Tensor, fetches []tf.Output) ([]*tf.Tensor, error) {
	defer restoreSubnormals(flushSubnormals())
	return m.session.Run(feeds, fetches, nil)
}

// fetches gives the outputs that are known before the run, nil for each of the others,
// and those others: what is fed TensorFlow does not fetch.
func (c *call) fetches(inputs map[string]*tensor.Tensor) (outputs []*tensor.Tensor, others []tf.Output) {
	outputs = make([]*tensor.Tensor, len(c.outputs))
	if len(c.passed) == 0 {
		return outputs, c.outputs
	}
	for i, output := range c.outputs {
		if outputs[i] = inputs[c.passed[i]]; outputs[i] == nil {
			others = append(others, output)
		}
	}
	return outputs, others
}

// feed makes TensorFlow's tensors of the inputs and puts them to their places
// in the graph.
func (c *call) feed(sig *tensor.Signature, inputs map[string]*tensor.Tensor) (map[tf.Output]*tf.Tensor, error) {
	for _, alias := range c.required {
		if inputs[alias] == nil {
			return nil, ml.Errorf(ml.InvalidArgument, "Invalid inputs: Input %s was missing in every input instance. (Error code: 1)", alias)
		}
	}
	feeds := make(map[tf.Output]*tf.Tensor, len(inputs))
	for alias, t := range inputs {
		placeholder, ok := c.inputs[alias]
		if !ok {
			return nil, ml.Errorf(ml.InvalidArgument, "signature %s has no input %s", sig.Name, alias)
		}
		fed, err := toTensorFlow(t)
		if err != nil {
			return nil, fmt.Errorf("input %s: %w", alias, err)
		}
		feeds[placeholder] = fed
	}
	return feeds, nil
}

// Close waits for the runs in progress and ends the session. The memory of
// devices is given back only when the process ends.
func (m *Model) Close() error {
	m.closed.Do(func() { m.closeErr = m.session.Close() })
	return m.closeErr
}
