package tests

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// arrows says for each folder which others of ours it may import. A folder
// covers those below it unless they have a line of their own; what no line
// covers may import nothing of ours. Each line has its reason.
var arrows = []struct{ folder, may, reason string }{
	{"hearth", "cli", "main only starts the command line"},
	{"cli", "*", "commands speak HTTP like any client, except serve and the hidden child commands"},
	{"cli/client", "ml", "the client is like any other program's: it knows the vocabulary only"},
	{"ml", "", "the vocabulary knows nobody"},
	{"ml/crash", "", "a named point in the code, nothing more"},
	{"ml/respawn", "", "how long to wait, nothing more"},
	{"ml/rest", "ml", "the conventions of Google's APIs, without any API"},
	{"appliance", "ml ml/respawn appliance/ scheduler scheduler/ gpu serving serving/frame serving/handover storage/", "the only wiring"},
	{"appliance/api", "ml ml/rest appliance/api/gcemetadata serving/handover", "the front door gets its handlers from appliance"},
	{"appliance/api/mlv1", "ml ml/rest appliance/api serving scheduler storage/", "handlers ask, they do not execute"},
	{"appliance/api/tfserving", "ml ml/rest serving serving/frame", "handlers ask, they do not execute"},
	{"appliance/api/gcsv1", "ml ml/rest appliance/api storage/object", "the bucket's API knows the bucket only"},
	{"appliance/api/loggingv2", "ml ml/rest appliance/api storage/logs storage/metadata", "reads logs"},
	{"appliance/api/hearthv1", "ml ml/rest appliance/api serving scheduler scheduler/runtimes storage/", "handlers ask, they do not execute"},
	{"appliance/api/gcemetadata", "ml ml/rest", "answers from what it is told"},
	{"scheduler", "ml ml/crash gpu scheduler/training scheduler/prediction scheduler/runtimes storage/", "the executor is handed in"},
	{"scheduler/process", "ml ml/crash", "a supervised process knows no machine learning"},
	{"scheduler/training", "ml ml/crash scheduler/runtimes storage/", "what a replica is"},
	{"scheduler/prediction", "ml scheduler/training scheduler/runtimes storage/", "what the worker of a batch prediction is; models are handed in"},
	{"scheduler/runtimes", "ml storage/", "TensorFlow installs"},
	{"gpu", "", "sole importer of NVML"},
	{"serving", "ml ml/crash ml/respawn scheduler gpu serving/tensor serving/frame serving/handover storage/", "TensorFlow stays in the worker"},
	{"serving/frame", "ml", "the wire between daemon and worker"},
	{"serving/handover", "ml ml/rest serving/frame", "connections between daemon and worker"},
	{"serving/tensor", "ml", "tensors and their JSON, pure Go"},
	{"serving/tfrecord", "", "a file format"},
	{"serving/tensorflow", "ml serving serving/tensor", "sole importer of the TensorFlow binding"},
	{"serving/worker", "ml ml/rest serving serving/frame serving/handover serving/tensor serving/tfrecord", "the child knows nothing of the daemon"},
	{"serving/batch", "ml serving serving/worker serving/tensor serving/tfrecord", "the child knows nothing of the daemon and reads the bucket by HTTP"},
	{"storage/metadata", "ml ml/crash", "knows the vocabulary only"},
	{"storage/object", "ml ml/crash", "knows the vocabulary only"},
	{"storage/logs", "ml", "knows the vocabulary only"},
	{"storage/metrics", "ml", "knows the vocabulary only"},
	{"storage/lineage", "ml", "knows the vocabulary only"},
	{"tests", "*", "tests may look everywhere"},
}

// soleImporters are dependencies with a C library, a daemon or a file lock
// behind them: one folder each may import them.
var soleImporters = map[string]string{
	"github.com/NVIDIA/go-nvml":         "gpu",
	"github.com/tensorflow/tensorflow/": "serving/tensorflow",
	"github.com/minio/minio-go":         "storage/object",
	"google.golang.org/grpc":            "appliance/api",
	"github.com/urfave/cli":             "cli",
	"github.com/schollz/progressbar":    "cli",
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Standard   bool
}

func TestArrows_OnlyAllowedImports(t *testing.T) {
	for _, p := range listPackages(t) {
		from := strings.TrimPrefix(p.ImportPath, "hearth/")
		may, reason := allowed(from)
		for _, imp := range p.Imports {
			checkSole(t, from, imp)
			to, ours := strings.CutPrefix(imp, "hearth/")
			if ours && !matches(may, to) {
				t.Errorf("%s imports %s, which it may not: %s", from, to, reason)
			}
		}
	}
}

func checkSole(t *testing.T, from, imp string) {
	t.Helper()
	for dep, owner := range soleImporters {
		inOwner := from == owner || strings.HasPrefix(from, owner+"/")
		if strings.HasPrefix(imp, dep) && !inOwner {
			t.Errorf("%s imports %s, which only %s may", from, imp, owner)
		}
	}
}

// A line for a folder that is gone says something untrue.
func TestArrows_EveryLineHasItsFolder(t *testing.T) {
	have := map[string]bool{}
	for _, p := range listPackages(t) {
		have[strings.TrimPrefix(p.ImportPath, "hearth/")] = true
	}
	for _, a := range arrows {
		if !have[a.folder] {
			t.Errorf("no package in folder %q", a.folder)
		}
	}
}

func allowed(folder string) (may, reason string) {
	best := -1
	for _, a := range arrows {
		if (folder == a.folder || strings.HasPrefix(folder, a.folder+"/")) && len(a.folder) > best {
			best, may, reason = len(a.folder), a.may, a.reason
		}
	}
	if best < 0 {
		return "", "it has no line in the table of arrows"
	}
	return may, reason
}

func matches(may, to string) bool {
	for pattern := range strings.FieldsSeq(may) {
		below, isPrefix := strings.CutSuffix(pattern, "/")
		if pattern == "*" || pattern == to || isPrefix && strings.HasPrefix(to, below+"/") {
			return true
		}
	}
	return false
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Standard", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []goPackage
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
