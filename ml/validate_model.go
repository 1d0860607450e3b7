package ml

import (
	"regexp"
	"slices"
	"sync"
)

// What a model or a version gets where the request says nothing.
const (
	DefaultRegion      = "us-central1"
	DefaultMachineType = "mls1-c1-m2"
	FrameworkTF        = "TENSORFLOW"
)

var metricNames = []string{"METRIC_NAME_UNSPECIFIED", "CPU_USAGE", "GPU_DUTY_CYCLE"}

var (
	pythonPattern  = regexp.MustCompile(`^[0-9]+\.[0-9]+$`)
	machinePattern = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
)

// ValidateNew checks a model that is to be created and completes it:
// defaults are filled in and output-only fields cleared. Errors are
// INVALID_ARGUMENT and name the field.
func (m *Model) ValidateNew() error {
	if err := CheckID("name", m.Name); err != nil {
		return err
	}
	if len(m.Regions) > 1 {
		return FieldErrorf("regions", "A model has one region; this one names %d.", len(m.Regions))
	}
	if len(m.Regions) == 0 {
		m.Regions = []string{DefaultRegion}
	}
	if m.Regions[0] == "" {
		return FieldErrorf("regions", "The region is empty; leave regions out to get %s.", DefaultRegion)
	}
	if err := checkResourceLabels(m.Labels); err != nil {
		return err
	}
	m.DefaultVersion, m.Etag = nil, nil
	return nil
}

// ValidateNew checks a version that is to be created and completes it:
// defaults are filled in, except the runtime, which only an installation
// knows, and output-only fields cleared. Errors are INVALID_ARGUMENT, or
// UNIMPLEMENTED for what Hearth does not serve, and name the field.
func (v *Version) ValidateNew() error {
	if err := CheckID("name", v.Name); err != nil {
		return err
	}
	if err := v.checkServable(); err != nil {
		return err
	}
	if err := checkDeploymentURI(v.DeploymentURI); err != nil {
		return err
	}
	if v.PythonVersion != "" && !pythonPattern.MatchString(v.PythonVersion) {
		return FieldErrorf("pythonVersion", "%q is not a Python version such as \"3.11\".", v.PythonVersion)
	}
	if err := v.checkNodes(); err != nil {
		return err
	}
	if err := checkResourceLabels(v.Labels); err != nil {
		return err
	}
	v.Framework = FrameworkTF
	if v.MachineType == "" {
		v.MachineType = DefaultMachineType
	}
	v.IsDefault, v.State, v.ErrorMessage, v.Etag = false, "", "", nil
	v.CreateTime, v.LastUseTime = Timestamp{}, Timestamp{}
	v.LastMigrationTime, v.LastMigrationModelID = Timestamp{}, ""
	return nil
}

// checkServable refuses what would make the version something other than a
// SavedModel served by TensorFlow.
func (v *Version) checkServable() error {
	switch v.Framework {
	case "", "FRAMEWORK_UNSPECIFIED", FrameworkTF:
	case "SCIKIT_LEARN", "XGBOOST":
		return unimplementedField("framework", v.Framework+" models are not served here; export the model as a TensorFlow SavedModel and use framework TENSORFLOW.")
	default:
		return enumError("framework", "version.framework", "Version.Framework", v.Framework)
	}
	switch {
	case len(v.Container) > 0:
		return unimplementedField("container", "Custom containers are not served here; give a TensorFlow SavedModel in deploymentUri.")
	case len(v.Routes) > 0:
		return unimplementedField("routes", "Routes belong to custom containers, which are not served here; predict at the version's own path.")
	case len(v.PackageURIs) > 0:
		return unimplementedField("packageUris", "Custom prediction routines are not served here; put pre- and postprocessing into the SavedModel's signature.")
	case v.PredictionClass != "":
		return unimplementedField("predictionClass", "Custom prediction routines are not served here; put pre- and postprocessing into the SavedModel's signature.")
	case len(v.ExplanationConfig) > 0:
		return unimplementedField("explanationConfig", "Explanations are not computed here; leave explanationConfig out.")
	case len(v.RequestLoggingConfig) > 0:
		return FieldErrorf("requestLoggingConfig", "Request logging cannot be set when a version is created.")
	}
	return nil
}

func checkDeploymentURI(uri string) error {
	if uri == "" {
		return FieldErrorf("deploymentUri", "A version needs deploymentUri: the gs:// folder that holds saved_model.pb.")
	}
	if _, _, ok := ObjectURI(uri); !ok {
		return FieldErrorf("deploymentUri", "%q is not a gs://BUCKET/FOLDER address.", uri)
	}
	return nil
}

// maxReplicas is how many workers may serve a version: on one machine more than it
// has processors or devices are of no use.
const maxReplicas = 64

// checkNodes checks what the version asks to run on. Types are kept as given: on one
// machine any of them gives the same worker.
func (v *Version) checkNodes() error {
	if v.MachineType != "" && !machinePattern.MatchString(v.MachineType) {
		return FieldErrorf("machineType", "%q is not a machine type such as %q.", v.MachineType, DefaultMachineType)
	}
	if v.AutoScaling != nil && v.ManualScaling != nil {
		return FieldErrorf("manualScaling", "autoScaling and manualScaling exclude each other; give one of them.")
	}
	if err := v.AutoScaling.check(); err != nil {
		return err
	}
	if s := v.ManualScaling; s != nil && s.Nodes < 0 {
		return FieldErrorf("manualScaling.nodes", "The number of nodes is negative.")
	}
	if v.Replicas() > maxReplicas {
		field := "manualScaling.nodes"
		if v.AutoScaling != nil {
			field = "autoScaling.minNodes"
		}
		return FieldErrorf(field, "A version may have at most %d nodes here, each a worker on this machine.", maxReplicas)
	}
	return v.AcceleratorConfig.check("acceleratorConfig")
}

func (s *AutoScaling) check() error {
	switch {
	case s == nil:
		return nil
	case s.MinNodes < 0 || s.MaxNodes < 0:
		return FieldErrorf("autoScaling", "The number of nodes is negative.")
	case s.MaxNodes != 0 && s.MaxNodes < s.MinNodes:
		return FieldErrorf("autoScaling.maxNodes", "maxNodes is less than minNodes.")
	}
	for i, m := range s.Metrics {
		if !slices.Contains(metricNames, m.Name) {
			return enumError(indexed("autoScaling.metrics", i)+".name", indexed("version.auto_scaling.metrics", i)+".name", "MetricSpec.MetricName", m.Name)
		}
	}
	return nil
}

// Compiled when first needed: counting over Unicode classes makes them huge
// (10 ms, 8 MB), and every child role of the binary would pay for it.
var (
	labelKeyPattern   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\p{Ll}[\p{Ll}\p{Lo}\p{N}_-]{0,62}$`) })
	labelValuePattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\p{Ll}\p{Lo}\p{N}_-]{0,63}$`) })
)

// maxLabels is how many labels one resource may carry.
const maxLabels = 64

func checkResourceLabels(labels map[string]string) error {
	if len(labels) > maxLabels {
		return FieldErrorf("labels", "There are %d labels; at most %d are allowed.", len(labels), maxLabels)
	}
	for k, v := range labels {
		if !labelKeyPattern().MatchString(k) {
			return FieldErrorf("labels", "%q is not a label key: use lower-case letters, digits, - and _, first a letter, at most 63 characters.", k)
		}
		if !labelValuePattern().MatchString(v) {
			return FieldErrorf("labels", "%q is not a value for label %q: use lower-case letters, digits, - and _, at most 63 characters.", v, k)
		}
	}
	return nil
}
