package ml

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestModel_ValidateNew(t *testing.T) {
	m := &Model{Name: "m", Etag: []byte("x"), DefaultVersion: &Version{Name: "v"}, Labels: map[string]string{"team": "a-1"}}
	if err := m.ValidateNew(); err != nil {
		t.Fatal(err)
	}
	want := &Model{Name: "m", Regions: []string{"us-central1"}, Labels: map[string]string{"team": "a-1"}}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("completed to %+v, want %+v", m, want)
	}
	for name, tc := range map[string]struct {
		m     Model
		field string
	}{
		"no name":      {Model{}, "name"},
		"bad name":     {Model{Name: "a-b"}, "name"},
		"two regions":  {Model{Name: "m", Regions: []string{"a", "b"}}, "regions"},
		"empty region": {Model{Name: "m", Regions: []string{""}}, "regions"},
		"label key":    {Model{Name: "m", Labels: map[string]string{"Team": "a"}}, "labels"},
		"label value":  {Model{Name: "m", Labels: map[string]string{"team": "A"}}, "labels"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, tc.m.ValidateNew(), InvalidArgument, tc.field)
		})
	}
}

func TestVersion_ValidateNew(t *testing.T) {
	v := &Version{Name: "v1", DeploymentURI: "gs://b/m", State: VersionReady, IsDefault: true, ErrorMessage: "x",
		CreateTime: At(time.Unix(1, 0)), PythonVersion: "3.11", AutoScaling: &AutoScaling{MinNodes: 1}}
	if err := v.ValidateNew(); err != nil {
		t.Fatal(err)
	}
	want := &Version{Name: "v1", DeploymentURI: "gs://b/m", PythonVersion: "3.11", AutoScaling: &AutoScaling{MinNodes: 1},
		Framework: "TENSORFLOW", MachineType: "mls1-c1-m2"}
	if !reflect.DeepEqual(v, want) {
		t.Errorf("completed to %+v, want %+v", v, want)
	}
	some := json.RawMessage(`{}`)
	for name, tc := range map[string]struct {
		change func(*Version)
		kind   Kind
		field  string
	}{
		"name":              {func(v *Version) { v.Name = "1" }, InvalidArgument, "name"},
		"no uri":            {func(v *Version) { v.DeploymentURI = "" }, InvalidArgument, "deploymentUri"},
		"local uri":         {func(v *Version) { v.DeploymentURI = "/m" }, InvalidArgument, "deploymentUri"},
		"no bucket":         {func(v *Version) { v.DeploymentURI = "gs:///m" }, InvalidArgument, "deploymentUri"},
		"sklearn":           {func(v *Version) { v.Framework = "SCIKIT_LEARN" }, Unimplemented, "framework"},
		"unknown framework": {func(v *Version) { v.Framework = "torch" }, InvalidArgument, "framework"},
		"container":         {func(v *Version) { v.Container = some }, Unimplemented, "container"},
		"routes":            {func(v *Version) { v.Routes = some }, Unimplemented, "routes"},
		"packages":          {func(v *Version) { v.PackageURIs = []string{"gs://b/p"} }, Unimplemented, "packageUris"},
		"prediction class":  {func(v *Version) { v.PredictionClass = "a.B" }, Unimplemented, "predictionClass"},
		"explanations":      {func(v *Version) { v.ExplanationConfig = some }, Unimplemented, "explanationConfig"},
		"Python":            {func(v *Version) { v.PythonVersion = "three" }, InvalidArgument, "pythonVersion"},
		"machine":           {func(v *Version) { v.MachineType = "A machine" }, InvalidArgument, "machineType"},
		"two scalings":      {func(v *Version) { v.AutoScaling, v.ManualScaling = &AutoScaling{}, &ManualScaling{} }, InvalidArgument, "manualScaling"},
		"nodes":             {func(v *Version) { v.AutoScaling = &AutoScaling{MinNodes: 3, MaxNodes: 2} }, InvalidArgument, "autoScaling.maxNodes"},
		"accelerators":      {func(v *Version) { v.AcceleratorConfig = &AcceleratorConfig{Count: -1} }, InvalidArgument, "acceleratorConfig.count"},
		"TPU":               {func(v *Version) { v.AcceleratorConfig = &AcceleratorConfig{Type: "TPU_V2"} }, Unimplemented, "acceleratorConfig.type"},
		"metric":            {func(v *Version) { v.AutoScaling = &AutoScaling{Metrics: []MetricSpec{{Name: "X"}}} }, InvalidArgument, "autoScaling.metrics[0].name"},
		"label":             {func(v *Version) { v.Labels = map[string]string{"": ""} }, InvalidArgument, "labels"},
	} {
		t.Run(name, func(t *testing.T) {
			v := &Version{Name: "v1", DeploymentURI: "gs://b/m"}
			tc.change(v)
			wantError(t, v.ValidateNew(), tc.kind, tc.field)
		})
	}
}

func wantError(t *testing.T, err error, kind Kind, field string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || e.Field != field {
		t.Errorf("%+v, want %s for %s", err, kind, field)
	}
}
