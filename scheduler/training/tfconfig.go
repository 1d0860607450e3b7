package training

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"hearth/ml"
	"hearth/storage/metadata"
)

// jobVariable gives the job as the service tells a trainer of it: the training
// input with the keys in snake case.
func jobVariable(in *ml.TrainingInput) (json.RawMessage, error) {
	b, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		return nil, err
	}
	fields, _ = snakeCase(fields).(map[string]any)
	// Trainers of the service know this key, which it set for all of them.
	fields["run_on_raw_vm"] = true
	return marshal(fields)
}

// Cluster is the addresses of the replicas by what TF_CONFIG calls their kind,
// in the order of their indexes. An evaluator has none: it talks to nobody.
type Cluster map[string][]string

// taskID is who a replica is in its cluster.
type taskID struct {
	Type  string `json:"type"`
	Index int    `json:"index"`
}

// NewCluster makes the cluster of a job's replicas, which listen on ports of
// the loopback address. master is what the master is called: "chief" or
// "master". A replica that is alone is in no cluster, so that TensorFlow trains
// as on any single machine.
func NewCluster(replicas []metadata.Replica, master string) Cluster {
	c := Cluster{}
	if len(replicas) < 2 {
		return c
	}
	for _, r := range replicas {
		if r.Kind != ml.ReplicaEvaluator {
			name := clusterName(r.Kind, master)
			c[name] = append(c[name], net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Port)))
		}
	}
	return c
}

func clusterName(kind ml.ReplicaKind, master string) string {
	if kind == ml.ReplicaMaster {
		return master
	}
	return string(kind)
}

// TFConfig gives the value of TF_CONFIG for one of a cluster's replicas. job is
// the training input in snake case, as the service shows it to the trainer;
// nil leaves it out.
func (c Cluster) TFConfig(r ml.Replica, master string, job json.RawMessage) (string, error) {
	var task any = struct{}{}
	if len(c) > 0 {
		task = taskID{clusterName(r.Kind, master), r.Index}
	}
	b, err := marshal(struct {
		Cluster     Cluster         `json:"cluster"`
		Task        any             `json:"task"`
		Job         json.RawMessage `json:"job,omitempty"`
		Environment string          `json:"environment"`
	}{c, task, job, "cloud"})
	return string(b), err
}

// chiefSince is the first TensorFlow whose clusters have a chief.
var chiefSince = [2]int{2, 1}

// MasterName says what TF_CONFIG calls the master of a job on a runtime, by the
// TensorFlow that the runtime is named for: "chief" from 2.1 on, "master" before.
// wanted, if not nil, decides instead.
func MasterName(runtime string, wanted *bool) string {
	chief := true
	var version [2]int
	if n, _ := fmt.Sscanf(runtime, "%d.%d", &version[0], &version[1]); n == 2 {
		chief = slices.Compare(version[:], chiefSince[:]) >= 0
	}
	if wanted != nil {
		chief = *wanted
	}
	if chief {
		return "chief"
	}
	return "master"
}

// marshal leaves <, > and & as they are: people read these variables.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func snakeCase(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, value := range v {
			out[snakeKey(key)] = snakeCase(value)
		}
		return out
	case []any:
		for i := range v {
			v[i] = snakeCase(v[i])
		}
	}
	return v
}

func snakeKey(key string) string {
	var b strings.Builder
	for _, r := range key {
		if unicode.IsUpper(r) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
