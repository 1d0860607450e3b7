package ml

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Scale tiers, as trainingInput.scaleTier names them. Absent means BASIC.
const (
	TierBasic     = "BASIC"
	TierBasicGPU  = "BASIC_GPU"
	TierBasicTPU  = "BASIC_TPU"
	TierStandard1 = "STANDARD_1"
	TierPremium1  = "PREMIUM_1"
	TierCustom    = "CUSTOM"
)

// DefaultMaxRunningTime bounds jobs whose request says nothing.
const DefaultMaxRunningTime = 7 * 24 * time.Hour

const (
	maxPackages = 100
	maxPriority = 1000
)

var (
	modulePattern    = regexp.MustCompile(`^[\pL_][\pL\pN_]*(\.[\pL_][\pL\pN_]*)*$`)
	packageSuffixes  = []string{".tar.gz", ".tgz", ".zip", ".whl"}
	acceleratorTypes = []string{
		"", "ACCELERATOR_TYPE_UNSPECIFIED", "NVIDIA_TESLA_K80", "NVIDIA_TESLA_P100", "NVIDIA_TESLA_V100",
		"NVIDIA_TESLA_P4", "NVIDIA_TESLA_T4", "NVIDIA_TESLA_A100",
	}
	tpuTypes = []string{"TPU_V2", "TPU_V3", "TPU_V2_POD", "TPU_V3_POD", "TPU_V4_POD"}
)

// ValidateNew checks a job that is to be created and clears its output-only
// fields. It checks what the request says by itself; whether runtime and
// packages exist is for the scheduler. Errors are INVALID_ARGUMENT, or
// UNIMPLEMENTED for what Hearth does not run, and name the field.
func (j *Job) ValidateNew() error {
	if err := CheckID("jobId", j.JobID); err != nil {
		return err
	}
	if err := checkResourceLabels(j.Labels); err != nil {
		return err
	}
	switch {
	case j.TrainingInput != nil && len(j.PredictionInput) > 0:
		return FieldErrorf("predictionInput", "A job has either trainingInput or predictionInput; this one has both.")
	case len(j.PredictionInput) > 0:
		return unimplementedField("predictionInput", "Batch prediction jobs are not run here; predict online instead.")
	case j.TrainingInput == nil:
		return FieldErrorf("trainingInput", "A job needs trainingInput.")
	}
	if err := j.TrainingInput.validate(); err != nil {
		return err
	}
	j.CreateTime, j.StartTime, j.EndTime = Timestamp{}, Timestamp{}, Timestamp{}
	j.State, j.JobPosition, j.ErrorMessage, j.Etag = "", 0, "", nil
	j.TrainingOutput, j.PredictionOutput = nil, nil
	return nil
}

func (in *TrainingInput) validate() error {
	checks := []func() error{
		in.checkTier, in.checkMaster, in.checkReplicas, in.checkPackages, in.checkProgram, in.checkScheduling,
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (in *TrainingInput) checkTier() error {
	const field = "trainingInput.scaleTier"
	switch in.ScaleTier {
	case "", TierBasic, TierBasicGPU:
		return nil
	case TierStandard1, TierPremium1:
		return unimplementedField(field, "Distributed training is not run here; use BASIC, BASIC_GPU, or CUSTOM with only a master.")
	case TierBasicTPU:
		return unimplementedField(field, "There are no TPUs here; use BASIC or BASIC_GPU.")
	case TierCustom:
		if in.MasterType == "" {
			return FieldErrorf("trainingInput.masterType", "scaleTier CUSTOM needs a masterType.")
		}
		return nil
	}
	return enumError(field, "job.training_input.scale_tier", "TrainingInput.ScaleTier", in.ScaleTier)
}

// checkMaster looks at what the master asks to run on. Machine types are kept
// as given: they differ in what they promise of hardware that is not here.
func (in *TrainingInput) checkMaster() error {
	const config = "trainingInput.masterConfig"
	if in.ScaleTier != TierCustom && (in.MasterType != "" || in.MasterConfig != nil && in.MasterConfig.AcceleratorConfig != nil) {
		return FieldErrorf("trainingInput.masterType", "A master's machine and accelerators can be chosen only with scaleTier CUSTOM.")
	}
	if in.MasterType == "cloud_tpu" {
		return unimplementedField("trainingInput.masterType", "There are no TPUs here; name another machine type.")
	}
	if in.MasterType != "" && !machinePattern.MatchString(in.MasterType) {
		return FieldErrorf("trainingInput.masterType", "%q is not a machine type such as \"n1-standard-4\".", in.MasterType)
	}
	c := in.MasterConfig
	if c == nil {
		return nil
	}
	switch {
	case c.ImageURI != "":
		return unimplementedField(config+".imageUri", "Containers are not run here; give the trainer as a Python package in packageUris, with pythonModule and runtimeVersion.")
	case len(c.ContainerCommand) > 0 || len(c.ContainerArgs) > 0:
		return unimplementedField(config+".containerArgs", "Containers are not run here; give the trainer as a Python package in packageUris, and its arguments in args.")
	case c.TPUTFVersion != "":
		return unimplementedField(config+".tpuTfVersion", "There are no TPUs here; leave tpuTfVersion out.")
	}
	return c.AcceleratorConfig.check(config + ".acceleratorConfig")
}

func (a *AcceleratorConfig) check(field string) error {
	switch {
	case a == nil:
		return nil
	case slices.Contains(tpuTypes, a.Type):
		return unimplementedField(field+".type", "There are no TPUs here; use an NVIDIA type: any GPU of the host answers it.")
	case !slices.Contains(acceleratorTypes, a.Type):
		return enumError(field+".type", "job.training_input.master_config.accelerator_config.type", "AcceleratorConfig.Type", a.Type)
	case a.Count < 0:
		return FieldErrorf(field+".count", "The count of accelerators is negative.")
	}
	return nil
}

// checkReplicas refuses everything that needs more than a master.
func (in *TrainingInput) checkReplicas() error {
	groups := []struct {
		field, kind string
		count       Int64
		config      *ReplicaConfig
	}{
		{"worker", in.WorkerType, in.WorkerCount, in.WorkerConfig},
		{"parameterServer", in.ParameterServerType, in.ParameterServerCount, in.ParameterServerConfig},
		{"evaluator", in.EvaluatorType, in.EvaluatorCount, in.EvaluatorConfig},
	}
	for _, g := range groups {
		field := "trainingInput." + g.field + "Count"
		switch {
		case g.count < 0:
			return FieldErrorf(field, "The count of replicas is negative.")
		case g.count == 0 && g.kind == "" && g.config == nil:
		case in.ScaleTier != TierCustom:
			return FieldErrorf(field, "Replicas beside the master can be asked for only with scaleTier CUSTOM.")
		case g.count > 0:
			return unimplementedField(field, "Distributed training is not run here; ask for a master alone.")
		}
	}
	if len(in.Hyperparameters) > 0 {
		return unimplementedField("trainingInput.hyperparameters", "Hyperparameter tuning is not run here; submit one job for each set of arguments.")
	}
	return nil
}

func (in *TrainingInput) checkPackages() error {
	const field = "trainingInput.packageUris"
	if len(in.PackageURIs) == 0 {
		return FieldErrorf(field, "A training job needs packageUris: the gs:// addresses of the trainer's package and of those that it needs.")
	}
	if len(in.PackageURIs) > maxPackages {
		return FieldErrorf(field, "There are %d packages; at most %d are allowed.", len(in.PackageURIs), maxPackages)
	}
	for i, uri := range in.PackageURIs {
		if !isPackageURI(uri) {
			return FieldErrorf(indexed(field, i), "%q is not the address of a Python package: gs://BUCKET/OBJECT that ends in %s.",
				uri, strings.Join(packageSuffixes, ", "))
		}
	}
	return nil
}

func isPackageURI(uri string) bool {
	_, object, ok := ObjectURI(uri)
	if !ok || strings.ContainsFunc(object, unicode.IsControl) {
		return false
	}
	base := path.Base(object)
	return slices.ContainsFunc(packageSuffixes, func(s string) bool { return strings.HasSuffix(base, s) && base != s })
}

func (in *TrainingInput) checkProgram() error {
	if in.PythonModule == "" {
		return FieldErrorf("trainingInput.pythonModule", "A training job needs pythonModule: the module to run, such as trainer.task.")
	}
	if !modulePattern.MatchString(in.PythonModule) {
		return FieldErrorf("trainingInput.pythonModule", "%q is not the name of a Python module such as trainer.task.", in.PythonModule)
	}
	for i, arg := range in.Args {
		if strings.ContainsRune(arg, 0) {
			return FieldErrorf(indexed("trainingInput.args", i), "An argument cannot hold a zero byte.")
		}
	}
	if in.PythonVersion != "" && !pythonPattern.MatchString(in.PythonVersion) {
		return FieldErrorf("trainingInput.pythonVersion", "%q is not a Python version such as \"3.11\".", in.PythonVersion)
	}
	if _, object, ok := ObjectURI(in.JobDir); in.JobDir != "" && (!ok || strings.ContainsFunc(object, unicode.IsControl)) {
		return FieldErrorf("trainingInput.jobDir", "%q is not a gs://BUCKET/FOLDER address.", in.JobDir)
	}
	return nil
}

func (in *TrainingInput) checkScheduling() error {
	s := in.Scheduling
	switch {
	case s == nil:
		return nil
	case s.Priority < 0 || s.Priority > maxPriority:
		return FieldErrorf("trainingInput.scheduling.priority", "The priority %d is not between 0 and %d.", s.Priority, maxPriority)
	case s.MaxRunningTime < 0:
		return FieldErrorf("trainingInput.scheduling.maxRunningTime", "The maximum running time is negative.")
	case s.MaxWaitTime < 0:
		return FieldErrorf("trainingInput.scheduling.maxWaitTime", "The maximum waiting time is negative.")
	}
	return nil
}

// MaxRunningTime gives how long the job may run before it is stopped.
func (in *TrainingInput) MaxRunningTime() time.Duration {
	if in.Scheduling == nil || in.Scheduling.MaxRunningTime == 0 {
		return DefaultMaxRunningTime
	}
	return time.Duration(in.Scheduling.MaxRunningTime)
}

func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

func unimplementedField(field, message string) error {
	return &Error{Kind: Unimplemented, Field: field, Message: message}
}

// enumError speaks of a value that an enum lacks as Google's front end does.
func enumError(field, proto, enum, value string) error {
	return FieldErrorf(field, "Invalid value at '%s' (type.googleapis.com/google.cloud.ml.v1.%s), %q", proto, enum, value)
}
