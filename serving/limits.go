package serving

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth/ml"
)

// Labels of a version that bound its requests otherwise than the configuration does.
const (
	labelInFlight = "hearth-max-in-flight" // requests under way or waiting
	labelBatch    = "hearth-max-batch"     // rows of requests that share a run; 1: none do
	labelTimeout  = "hearth-timeout"       // of a prediction: 500ms, 30s
	labelPrefix   = "hearth-"
)

// limits bound the requests of a version.
type limits struct {
	inFlight int
	batch    int // 0: what is measured to be best
	timeout  time.Duration
}

// limitsOf gives the limits of a version: those of the configuration where its labels
// set none. A label of ours that says nothing is INVALID_ARGUMENT.
func (m *Manager) limitsOf(v *ml.Version) (limits, error) {
	configured := limits{inFlight: m.o.MaxInFlight, timeout: m.o.Timeout}
	l := configured
	for _, label := range slices.Sorted(maps.Keys(v.Labels)) {
		if !strings.HasPrefix(label, labelPrefix) {
			continue
		}
		field, value := "labels."+label, v.Labels[label]
		var err error
		switch label {
		case labelInFlight:
			l.inFlight, err = positive(field, value)
		case labelBatch:
			l.batch, err = positive(field, value)
		case labelTimeout:
			if l.timeout, err = time.ParseDuration(value); err != nil || l.timeout <= 0 {
				err = ml.FieldErrorf(field, "%q is not a time such as 500ms or 30s.", value)
			}
		default:
			err = ml.FieldErrorf(field, "There is no such limit; there are %s, %s and %s.", labelBatch, labelInFlight, labelTimeout)
		}
		if err != nil {
			return configured, err
		}
	}
	return l, nil
}

func positive(field, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 {
		return 0, ml.FieldErrorf(field, "%q is not a number of at least 1.", value)
	}
	return n, nil
}
