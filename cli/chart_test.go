package cli

import (
	"strings"
	"testing"

	"hearth/ml"
)

func TestDrawUsage(t *testing.T) {
	u := &ml.Usage{Job: "j", Replicas: []ml.ReplicaUsage{
		{Task: "master-replica-0", Seconds: []float64{30, 60}, CPU: []float64{2, 1}, Memory: []int64{1 << 20, 1 << 21}},
		{Task: "ps-replica-0"},
	}}
	var b strings.Builder
	drawUsage(&b, u, true)
	got := b.String()
	for _, want := range []string{
		"master-replica-0: 60 s from",
		"|" + strings.Repeat("@", 31) + strings.Repeat("=", 29) + "| at most 2.00 processors, 1.50 processors on average",
		"at most 2.0 MiB, 1.5 MiB on average",
		"ps-replica-0: nothing was noted yet",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %q:\n%s", want, got)
		}
	}
}
