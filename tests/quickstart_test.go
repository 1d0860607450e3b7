package tests

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var newJob = regexp.MustCompile(`jobs submit training`)

// The quickstart as `make run` runs it, twice: the second time it trains
// nothing and predicts with the model that is there.
func TestQuickstart_TwiceTrainsOnce(t *testing.T) {
	d := newDaemon(t)
	script, err := filepath.Abs("../examples/quickstart.sh")
	check(t, err)
	first, err := d.script(script)
	if err != nil {
		t.Fatalf("%v\n%s", err, first)
	}
	if !newJob.MatchString(first) || !strings.Contains(first, "curl") || !strings.Contains(first, "hearth env --for gcloud") {
		t.Errorf("the quickstart did not say how it works:\n%s", first)
	}
	second, err := d.script(script)
	if err != nil {
		t.Fatalf("%v\n%s", err, second)
	}
	if newJob.MatchString(second) {
		t.Errorf("the second quickstart trained again:\n%s", second)
	}
}
