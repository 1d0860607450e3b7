package training

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hearth/ml"
	"hearth/scheduler/runtimes"
)

// Task is the name of a job's only replica, in its logs and as the name of its
// process.
const Task = "master-replica-0"

// EnvironmentTask is the name of the process that installs the packages.
const EnvironmentTask = "environment"

// Access says how jobs reach the daemon.
type Access struct {
	// Address is HOST:PORT of the daemon as seen from this machine.
	Address string
	// CABundle is a file with the certificates that jobs trust: the daemon's
	// own authority and the system's.
	CABundle string
}

// Replica is everything that a replica's process is made of.
type Replica struct {
	Project string
	Job     *ml.Job
	// Folder is the attempt's folder, from [Prepare].
	Folder  Folder
	Runtime *runtimes.Runtime
	// Environment is where the trainer's packages are.
	Environment *runtimes.Environment
	Access      Access
	// Secret is the password of the job's identity.
	Secret string
	// GPUs are the UUIDs of the devices that the job leases.
	GPUs   []string
	Limits ml.Limits
	Grace  time.Duration
}

// Process describes the replica to the supervisor.
func (r Replica) Process() (ml.Process, error) {
	env, err := r.environment()
	if err != nil {
		return ml.Process{}, err
	}
	in := r.Job.TrainingInput
	args := append([]string{r.Environment.Interpreter(), "-m", in.PythonModule}, in.Args...)
	if in.JobDir != "" {
		args = append(args, "--job-dir", in.JobDir)
	}
	return ml.Process{
		Args:   args,
		Env:    env,
		Dir:    r.Folder.Work(),
		Limits: r.Limits,
		Weight: ml.WeightIdle,
		Grace:  r.Grace,
	}, nil
}

// environment gives the variables of the replica, all of them: nothing is
// inherited from the daemon.
func (r Replica) environment() ([]string, error) {
	job, err := jobVariable(r.Job.TrainingInput)
	if err != nil {
		return nil, err
	}
	config, err := tfConfig(job)
	if err != nil {
		return nil, err
	}
	vars := map[string]string{
		"HOME":                r.Folder.Home(),
		"TMPDIR":              r.Folder.Temp(),
		"PATH":                filepath.Join(r.Environment.Dir, "bin") + ":/usr/local/bin:/usr/bin:/bin",
		"LANG":                "C.UTF-8",
		"PYTHONUNBUFFERED":    "1",
		"TF_CONFIG":           config,
		"CLOUD_ML_JOB":        string(job),
		"CLOUD_ML_JOB_ID":     r.Job.JobID,
		"CLOUD_ML_PROJECT_ID": r.Project,
		// Empty hides all devices: a job has those that it leases.
		"CUDA_VISIBLE_DEVICES": strings.Join(r.GPUs, ","),
	}
	maps.Copy(vars, r.access())
	maps.Copy(vars, r.Runtime.Environment)
	env := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	return env, nil
}

// access gives the variables that lead Google's clients to the daemon.
// TensorFlow has no setting for another endpoint than Google's, but its HTTP
// library follows a proxy and a bundle of certificates.
func (r Replica) access() map[string]string {
	proxy := "http://" + r.Project + "." + r.Job.JobID + ":" + r.Secret + "@" + r.Access.Address
	const direct = "127.0.0.1,localhost"
	return map[string]string{
		"https_proxy":          proxy,
		"HTTPS_PROXY":          proxy,
		"no_proxy":             direct,
		"NO_PROXY":             direct,
		"CURL_CA_BUNDLE":       r.Access.CABundle,
		"REQUESTS_CA_BUNDLE":   r.Access.CABundle,
		"SSL_CERT_FILE":        r.Access.CABundle,
		"HTTPLIB2_CA_CERTS":    r.Access.CABundle,
		"GCE_METADATA_HOST":    r.Access.Address,
		"GCE_METADATA_IP":      r.Access.Address,
		"GOOGLE_CLOUD_PROJECT": r.Project,
	}
}
