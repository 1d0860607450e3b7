package training

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hearth/ml"
	"hearth/scheduler/runtimes"
	"hearth/storage/metadata"
)

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

// Program is everything that the processes of a job are made of.
type Program struct {
	Project string
	Job     *ml.Job
	// Folder is the attempt's folder, which is prepared.
	Folder  Folder
	Runtime *runtimes.Runtime
	// Environment is where the trainer's packages are.
	Environment *runtimes.Environment
	Access      Access
	// Secret is the password of the job's identity.
	Secret string
	// Replicas are all of the job's processes and what each has of its lease.
	Replicas []metadata.Replica
	// Limits bounds each of them, Rules say what they may touch.
	Limits ml.Limits
	Rules  Rules
	// User is the one leased for the job, 0 for none.
	User  uint32
	Grace time.Duration
}

// Process describes a replica to the supervisor.
func (p Program) Process(r metadata.Replica) (ml.Process, error) {
	env, err := p.environment(r)
	if err != nil {
		return ml.Process{}, err
	}
	in := p.Job.TrainingInput
	args := append([]string{p.Environment.Interpreter(), "-m", in.PythonModule}, in.Args...)
	if in.JobDir != "" {
		args = append(args, "--job-dir", in.JobDir)
	}
	scratch := p.Folder.Scratch(r.Task())
	return ml.Process{
		Args:    args,
		Env:     env,
		Dir:     scratch.Work(),
		Scratch: string(scratch),
		Limits:  p.Limits,
		Weight:  ml.WeightIdle,
		Grace:   p.Grace,
		Sandbox: p.sandbox(scratch),
	}, nil
}

// environment gives the variables of a replica, all of them: nothing is
// inherited from the daemon.
func (p Program) environment(r metadata.Replica) ([]string, error) {
	in := p.Job.TrainingInput
	job, err := jobVariable(in)
	if err != nil {
		return nil, err
	}
	master := MasterName(p.Runtime.Name, in.UseChiefInTFConfig)
	config, err := NewCluster(p.Replicas, master).TFConfig(r.Replica, master, job)
	if err != nil {
		return nil, err
	}
	scratch := p.Folder.Scratch(r.Task())
	vars := map[string]string{
		"HOME":                scratch.Home(),
		"TMPDIR":              scratch.Temp(),
		"PATH":                filepath.Join(p.Environment.Dir, "bin") + ":/usr/local/bin:/usr/bin:/bin",
		"LANG":                "C.UTF-8",
		"PYTHONUNBUFFERED":    "1",
		"TF_CONFIG":           config,
		"CLOUD_ML_JOB":        string(job),
		"CLOUD_ML_JOB_ID":     p.Job.JobID,
		"CLOUD_ML_PROJECT_ID": p.Project,
		// Empty hides all devices: a replica has those that are leased for it.
		"CUDA_VISIBLE_DEVICES": strings.Join(r.GPUs, ","),
	}
	maps.Copy(vars, p.access())
	maps.Copy(vars, p.Runtime.Environment)
	env := make([]string, 0, len(vars))
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	return env, nil
}

// access gives the variables that lead Google's clients to the daemon.
// TensorFlow has no setting for another endpoint than Google's, but its HTTP
// library follows a proxy and a bundle of certificates.
func (p Program) access() map[string]string {
	proxy := "http://" + p.Project + "." + p.Job.JobID + ":" + p.Secret + "@" + p.Access.Address
	const direct = "127.0.0.1,localhost"
	return map[string]string{
		"https_proxy":          proxy,
		"HTTPS_PROXY":          proxy,
		"no_proxy":             direct,
		"NO_PROXY":             direct,
		"CURL_CA_BUNDLE":       p.Access.CABundle,
		"REQUESTS_CA_BUNDLE":   p.Access.CABundle,
		"SSL_CERT_FILE":        p.Access.CABundle,
		"HTTPLIB2_CA_CERTS":    p.Access.CABundle,
		"GCE_METADATA_HOST":    p.Access.Address,
		"GCE_METADATA_IP":      p.Access.Address,
		"GOOGLE_CLOUD_PROJECT": p.Project,
	}
}
