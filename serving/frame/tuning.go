package frame

import "encoding/json"

// Tuning is how a worker found that its model runs best on this machine: a later
// worker of the same version need not try it out again.
type Tuning struct {
	// InterOp and IntraOp are the session's threads, as in TensorFlow's ConfigProto.
	InterOp int32 `json:"interOp"`
	IntraOp int32 `json:"intraOp"`
	// Runs is how many runs there are at once.
	Runs int `json:"runs"`
	// Rows is how many rows requests for a signature may fill together, by its name.
	Rows map[string]int64 `json:"rows,omitempty"`
	// Processors is how many there were; with others all of this may be different.
	Processors int `json:"processors"`
}

// ParseTuning reads what [Tuning.String] gives; nil if it is nothing of the kind.
func ParseTuning(text string) *Tuning {
	t := &Tuning{}
	if text == "" || json.Unmarshal([]byte(text), t) != nil || t.Runs < 1 {
		return nil
	}
	return t
}

// String gives the tuning as JSON, empty for nil.
func (t *Tuning) String() string {
	if t == nil {
		return ""
	}
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // numbers and names have a JSON form
	}
	return string(b)
}
