package prediction

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth/ml"
	"hearth/scheduler/runtimes"
	"hearth/scheduler/training"
	"hearth/storage/metadata"
)

// Program is everything that the worker of a job is made of.
type Program struct {
	Project string
	Job     *ml.Job
	// Folder is the job's, which is prepared; Attempt is the attempt's.
	Folder  Folder
	Attempt training.Folder
	Runtime *runtimes.Runtime
	Access  training.Access
	// Secret is the password of the job's identity.
	Secret       string
	Cores        int
	MaxErrorRate float64
	ShardBytes   int64
	Limits       ml.Limits
	Rules        training.Rules
	Grace        time.Duration
}

// self is our own program; the shim that starts it is the same.
const self = "/proc/self/exe"

// Process describes the worker to the supervisor and writes down its task.
func (p Program) Process(r metadata.Replica) (ml.Process, error) {
	scratch := p.Attempt.Scratch(r.Task())
	task := filepath.Join(scratch.Work(), "task.json")
	err := writeJSON(task, ml.PredictionTask{
		Input: *p.Job.PredictionInput, ModelDir: p.Folder.model(), TensorFlow: p.Runtime.TensorFlowDir,
		StateDir: p.Folder.State(), TempDir: scratch.Temp(), Cores: p.Cores, MaxErrorRate: p.MaxErrorRate, ShardBytes: p.ShardBytes,
	})
	if err != nil {
		return ml.Process{}, fmt.Errorf("write the worker's task: %w", err)
	}
	process := ml.Process{
		Args: []string{self, "batch-predict", task}, Env: p.environment(r, scratch), Dir: scratch.Work(), Scratch: string(scratch),
		Limits: p.Limits, Weight: ml.WeightIdle, Grace: p.Grace,
	}
	if !p.Rules.Off {
		process.Sandbox = &ml.Sandbox{
			Read:  slices.Concat([]string{p.Folder.model(), self}, p.Runtime.Folders(), p.Rules.Read),
			Write: []string{string(scratch), p.Folder.State()},
			Temp:  scratch.Temp(),
		}
	}
	return process, nil
}

func (p Program) environment(r metadata.Replica, scratch training.Scratch) []string {
	vars := map[string]string{
		"HOME": scratch.Home(), "TMPDIR": scratch.Temp(), "LANG": "C.UTF-8", "PATH": "/usr/local/bin:/usr/bin:/bin",
		"TF_CPP_MIN_LOG_LEVEL": "1",
		"GOMAXPROCS":           strconv.Itoa(max(2, p.Cores)),
		// Empty hides all devices: a worker has those that are leased for it.
		"CUDA_VISIBLE_DEVICES": strings.Join(r.GPUs, ","),
		ml.EnvPredictionProxy:  "http://" + p.Project + "." + p.Job.JobID + ":" + p.Secret + "@" + p.Access.Address,
	}
	var env []string
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	return env
}
