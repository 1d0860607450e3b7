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
	// As many as fit no machine: it keeps sums far from overflow.
	maxAccelerators = 1024
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
	case j.TrainingInput != nil && j.PredictionInput != nil:
		return FieldErrorf("predictionInput", "A job has either trainingInput or predictionInput; this one has both.")
	case j.TrainingInput == nil && j.PredictionInput == nil:
		return FieldErrorf("trainingInput", "A job needs trainingInput or predictionInput.")
	}
	validate := j.PredictionInput.validate
	if j.TrainingInput != nil {
		validate = j.TrainingInput.validate
	}
	if err := validate(); err != nil {
		return err
	}
	j.CreateTime, j.StartTime, j.EndTime = Timestamp{}, Timestamp{}, Timestamp{}
	j.State, j.JobPosition, j.ErrorMessage, j.Etag = "", 0, "", nil
	j.TrainingOutput, j.PredictionOutput = nil, nil
	return nil
}

func (in *TrainingInput) validate() error {
	checks := []func() error{
		in.checkTier, in.checkReplicas, in.checkTuning, in.checkPackages, in.checkProgram, in.checkScheduling,
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
	case "", TierBasic, TierBasicGPU, TierStandard1, TierPremium1, TierCustom:
		return nil
	case TierBasicTPU:
		return unimplementedField(field, "There are no TPUs here; use BASIC or BASIC_GPU.")
	}
	return enumError(field, "job.training_input.scale_tier", "TrainingInput.ScaleTier", in.ScaleTier)
}

func (in *TrainingInput) checkTuning() error {
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
