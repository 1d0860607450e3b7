package training

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"

	"hearth/ml"
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

// tfConfig gives TF_CONFIG of a job of one replica: a cluster without members,
// so that TensorFlow trains as on any single machine.
func tfConfig(job json.RawMessage) (string, error) {
	b, err := marshal(struct {
		Cluster     struct{}        `json:"cluster"`
		Task        struct{}        `json:"task"`
		Job         json.RawMessage `json:"job"`
		Environment string          `json:"environment"`
	}{Job: job, Environment: "cloud"})
	return string(b), err
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
