package metadata

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"hearth/ml"
)

const (
	modelNotFound   = "The specified model was not found."
	versionNotFound = "The specified version was not found."
)

// withModel makes the model m.
func withModel(t testing.TB) *testDB {
	t.Helper()
	db := openTest(t)
	must(db.CreateModel(project, &ml.Model{Name: "m", Regions: []string{"us-central1"}}))(t)
	return db
}

// add creates a version of m and takes it to a state by the ordinary way.
func (db *testDB) add(id string, state ml.VersionState) *ml.Version {
	db.t.Helper()
	v, _, err := db.CreateVersion(project, "m", &ml.Version{Name: id, DeploymentURI: "gs://b/m/"})
	if err != nil {
		db.t.Fatal(err)
	}
	switch state {
	case ml.VersionReady:
		v = must(db.FinishVersion(project, "m", id, nil))(db.t)
	case ml.VersionFailed:
		v = must(db.FinishVersion(project, "m", id, &ml.Status{Code: ml.InvalidArgument, Message: "broken"}))(db.t)
	case ml.VersionDeleting:
		must(db.BeginDeleteVersion(project, "m", id))(db.t)
		v = must(db.Version(project, "m", id))(db.t)
	}
	if v.State != state {
		db.t.Fatalf("version is %s, want %s", v.State, state)
	}
	return v
}

func (db *testDB) defaultOf(model string) string {
	db.t.Helper()
	m := must(db.Model(project, model))(db.t)
	if m.DefaultVersion == nil {
		return ""
	}
	return ml.LastSegment(m.DefaultVersion.Name)
}

func TestDB_CreateModel(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		db := openTest(t)
		m := &ml.Model{Name: "m", Description: "d", Regions: []string{"r"}, Labels: map[string]string{"a": "b"}, DefaultVersion: &ml.Version{Name: "no"}}
		got := must(db.CreateModel(project, m))(t)
		want := &ml.Model{Name: "projects/hearth/models/m", Description: "d", Regions: []string{"r"}, Labels: map[string]string{"a": "b"}, Etag: number(1)}
		equal(t, "model", got, want)
		equal(t, "stored model", must(db.Model(project, "m"))(t), want)
		equal(t, "caller's model", m.Name, "m")
	})
	t.Run("AlreadyExists", func(t *testing.T) {
		_, err := withModel(t).CreateModel(project, &ml.Model{Name: "m"})
		wantError(t, err, ml.AlreadyExists, "A model with the same name already exists.")
	})
	t.Run("BadName", func(t *testing.T) {
		_, err := openTest(t).CreateModel(project, &ml.Model{Name: "a/b"})
		if ml.KindOf(err) != ml.InvalidArgument {
			t.Errorf("error is %v", err)
		}
	})
}

func TestDB_Models(t *testing.T) {
	db := openTest(t)
	for i := range 5 {
		must(db.CreateModel(project, &ml.Model{Name: fmt.Sprintf("m%d", i)}))(t)
		must(db.CreateModel("hearth2", &ml.Model{Name: fmt.Sprintf("n%d", i)}))(t)
	}
	var got []string
	token := ""
	for {
		models, next, err := db.Models(project, 2, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range models {
			got = append(got, m.Name)
		}
		got = append(got, "|")
		if token = next; token == "" {
			break
		}
		// A model that goes between two pages shifts nothing.
		if len(got) == 3 {
			must(db.DeleteModel(project, "m1"))(t)
		}
	}
	p := "projects/hearth/models/"
	equal(t, "models", got, []string{p + "m0", p + "m1", "|", p + "m2", p + "m3", "|", p + "m4", "|"})
	_, err := db.Model(project, "m1")
	wantError(t, err, ml.NotFound, modelNotFound)
}

func TestDB_DeleteModel(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		db := withModel(t)
		db.tick()
		op := must(db.DeleteModel(project, "m"))(t)
		want := &ml.Operation{
			Name: "projects/hearth/operations/delete_m-1",
			Metadata: &ml.OperationMetadata{
				Type: ml.TypeOperationMetadata, CreateTime: at(1), StartTime: at(1), EndTime: at(1),
				OperationType: ml.DeleteModel, ModelName: "projects/hearth/models/m",
			},
			Done: true, Response: json.RawMessage(`{"@type":"type.googleapis.com/google.protobuf.Empty"}`),
		}
		equal(t, "operation", op, want)
		equal(t, "stored operation", must(db.Operation(project, "delete_m-1"))(t), want)
		_, err := db.Model(project, "m")
		wantError(t, err, ml.NotFound, modelNotFound)
	})
	t.Run("HasVersions", func(t *testing.T) {
		db := withModel(t)
		db.add("v", ml.VersionFailed)
		_, err := db.DeleteModel(project, "m")
		wantError(t, err, ml.FailedPrecondition, "The model has versions. Delete them first.")
		must(db.Model(project, "m"))(t)
	})
	t.Run("NotFound", func(t *testing.T) {
		_, err := openTest(t).DeleteModel(project, "m")
		wantError(t, err, ml.NotFound, modelNotFound)
	})
}

func TestDB_CreateVersion(t *testing.T) {
	t.Run("OK", func(t *testing.T) {
		db := withModel(t)
		db.tick()
		in := &ml.Version{Name: "v1", DeploymentURI: "gs://b/m/", State: ml.VersionReady, IsDefault: true, Labels: map[string]string{"a": "b"}}
		v, op, err := db.CreateVersion(project, "m", in)
		if err != nil {
			t.Fatal(err)
		}
		want := &ml.Version{
			Name: "projects/hearth/models/m/versions/v1", DeploymentURI: "gs://b/m/", State: ml.VersionCreating,
			CreateTime: at(1), Etag: number(2), Labels: map[string]string{"a": "b"},
		}
		wantOp := &ml.Operation{
			Name: "projects/hearth/operations/create_m_v1-1",
			Metadata: &ml.OperationMetadata{
				Type: ml.TypeOperationMetadata, CreateTime: at(1), StartTime: at(1),
				OperationType: ml.CreateVersion, ModelName: "projects/hearth/models/m", Version: want,
			},
		}
		equal(t, "version", v, want)
		equal(t, "operation", op, wantOp)
		in.Labels["a"] = "changed"
		equal(t, "stored version", must(db.Version(project, "m", "v1"))(t), want)
		equal(t, "stored operation", must(db.Operation(project, "create_m_v1-1"))(t), wantOp)
		equal(t, "default", db.defaultOf("m"), "")
		equal(t, "all versions", must(db.AllVersions())(t), []VersionRecord{{Project: project, Model: "m", Version: want, Operation: "create_m_v1-1", Replicas: []VersionReplica{{}}}})
	})
	t.Run("AlreadyExists", func(t *testing.T) {
		db := withModel(t)
		db.add("v", ml.VersionFailed)
		_, _, err := db.CreateVersion(project, "m", &ml.Version{Name: "v"})
		wantError(t, err, ml.AlreadyExists, "A version with the same name already exists.")
	})
	t.Run("NoModel", func(t *testing.T) {
		_, _, err := openTest(t).CreateVersion(project, "m", &ml.Version{Name: "v"})
		wantError(t, err, ml.NotFound, modelNotFound)
	})
	t.Run("BadName", func(t *testing.T) {
		_, _, err := withModel(t).CreateVersion(project, "m", &ml.Version{Name: "1"})
		if ml.KindOf(err) != ml.InvalidArgument {
			t.Errorf("error is %v", err)
		}
	})
}

func TestDB_Versions(t *testing.T) {
	db := withModel(t)
	must(db.CreateModel(project, &ml.Model{Name: "m2"}))(t)
	if _, _, err := db.CreateVersion(project, "m2", &ml.Version{Name: "x"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"b", "c", "a"} {
		db.add(id, ml.VersionReady)
	}
	first, next, err := db.Versions(project, "m", 2, "")
	if err != nil {
		t.Fatal(err)
	}
	second, end, err := db.Versions(project, "m", 2, next)
	if err != nil || end != "" {
		t.Fatal(end, err)
	}
	var got []string
	for _, v := range append(first, second...) {
		got = append(got, fmt.Sprint(v.Name, " ", v.IsDefault))
	}
	p := "projects/hearth/models/m/versions/"
	equal(t, "versions", got, []string{p + "a false", p + "b true", p + "c false"})
	_, _, err = db.Versions(project, "none", 0, "")
	wantError(t, err, ml.NotFound, modelNotFound)
	_, err = db.Version(project, "none", "a")
	wantError(t, err, ml.NotFound, modelNotFound)
	_, err = db.Version(project, "m", "none")
	wantError(t, err, ml.NotFound, versionNotFound)
}

func TestDB_FinishVersion(t *testing.T) {
	t.Run("Ready", func(t *testing.T) {
		db := withModel(t)
		db.add("v1", ml.VersionCreating)
		etag := must(db.Version(project, "m", "v1"))(t).Etag
		v := must(db.FinishVersion(project, "m", "v1", nil))(t)
		if v.State != ml.VersionReady || !v.IsDefault || string(v.Etag) <= string(etag) {
			t.Errorf("version is %+v", v)
		}
		equal(t, "stored version", must(db.Version(project, "m", "v1"))(t), v)
		equal(t, "default version", must(db.Model(project, "m"))(t).DefaultVersion, v)
		op := must(db.Operation(project, "create_m_v1-1"))(t)
		if !op.Done || op.Error != nil || op.Metadata.EndTime.IsZero() {
			t.Errorf("operation is %+v", op)
		}
		equal(t, "response", op.Response, must(ml.Typed(ml.TypeVersion, v))(t))
		equal(t, "operation under way", must(db.AllVersions())(t)[0].Operation, "")
	})
	t.Run("SecondIsNotDefault", func(t *testing.T) {
		db := withModel(t)
		db.add("v1", ml.VersionReady)
		if v := db.add("v2", ml.VersionReady); v.IsDefault {
			t.Error("the second version became the default")
		}
		equal(t, "default", db.defaultOf("m"), "v1")
	})
	t.Run("FirstReadyIsDefault", func(t *testing.T) {
		db := withModel(t)
		db.add("v1", ml.VersionFailed)
		db.add("v2", ml.VersionCreating)
		db.add("v3", ml.VersionReady)
		equal(t, "default", db.defaultOf("m"), "v3")
	})
	t.Run("Failed", func(t *testing.T) {
		db := withModel(t)
		db.add("v1", ml.VersionCreating)
		failure := &ml.Status{Code: ml.InvalidArgument, Message: "no saved_model.pb"}
		v := must(db.FinishVersion(project, "m", "v1", failure))(t)
		equal(t, "version", []any{v.State, v.ErrorMessage, v.IsDefault}, []any{ml.VersionFailed, "no saved_model.pb", false})
		op := must(db.Operation(project, "create_m_v1-1"))(t)
		equal(t, "operation's error", op.Error, failure)
		equal(t, "default", db.defaultOf("m"), "")
	})
	for _, s := range []ml.VersionState{ml.VersionReady, ml.VersionFailed, ml.VersionDeleting} {
		t.Run("From"+string(s), func(t *testing.T) {
			db := withModel(t)
			before := db.add("v1", s)
			_, err := db.FinishVersion(project, "m", "v1", nil)
			wantError(t, err, ml.FailedPrecondition, fmt.Sprintf("a version that is %s cannot become READY", s))
			equal(t, "version", must(db.Version(project, "m", "v1"))(t), before)
		})
	}
	t.Run("NotFound", func(t *testing.T) {
		_, err := withModel(t).FinishVersion(project, "m", "v", nil)
		wantError(t, err, ml.NotFound, versionNotFound)
	})
}

func TestDB_DeleteVersion(t *testing.T) {
	t.Run("OnlyOne", func(t *testing.T) {
		db := withModel(t)
		db.add("v1", ml.VersionReady)
		op := must(db.BeginDeleteVersion(project, "m", "v1"))(t)
		if op.Done || op.Metadata.OperationType != ml.DeleteVersion || op.Metadata.Version.State != ml.VersionDeleting {
			t.Errorf("operation is %+v", op)
		}
		equal(t, "default", db.defaultOf("m"), "")
		again := must(db.BeginDeleteVersion(project, "m", "v1"))(t)
		equal(t, "operation asked for again", again, op)
		if err := db.FinishDeleteVersion(project, "m", "v1"); err != nil {
			t.Fatal(err)
		}
		op = must(db.Operation(project, ml.LastSegment(op.Name)))(t)
		equal(t, "response", string(op.Response), `{"@type":"type.googleapis.com/google.protobuf.Empty"}`)
		_, err := db.Version(project, "m", "v1")
		wantError(t, err, ml.NotFound, versionNotFound)
		must(db.DeleteModel(project, "m"))(t)
	})
	t.Run("Default", func(t *testing.T) {
		db := withModel(t)
		db.add("v1", ml.VersionReady)
		db.add("v2", ml.VersionFailed)
		_, err := db.BeginDeleteVersion(project, "m", "v1")
		wantError(t, err, ml.FailedPrecondition, "The default version cannot be deleted while the model has other versions. Make another one the default first.")
		must(db.BeginDeleteVersion(project, "m", "v2"))(t)
		if err := db.FinishDeleteVersion(project, "m", "v2"); err != nil {
			t.Fatal(err)
		}
		must(db.BeginDeleteVersion(project, "m", "v1"))(t)
	})
	t.Run("Creating", func(t *testing.T) {
		db := withModel(t)
		db.add("v1", ml.VersionCreating)
		must(db.BeginDeleteVersion(project, "m", "v1"))(t)
		op := must(db.Operation(project, "create_m_v1-1"))(t)
		equal(t, "error", op.Error, &ml.Status{Code: ml.Canceled, Message: "The version was deleted before it was ready."})
		equal(t, "operation under way", must(db.AllVersions())(t)[0].Operation, "delete_m_v1-2")
	})
	t.Run("NotDeleting", func(t *testing.T) {
		db := withModel(t)
		db.add("v1", ml.VersionReady)
		wantError(t, db.FinishDeleteVersion(project, "m", "v1"), ml.FailedPrecondition, "a version that is READY is not being deleted")
	})
	t.Run("NotFound", func(t *testing.T) {
		db := withModel(t)
		_, err := db.BeginDeleteVersion(project, "m", "v")
		wantError(t, err, ml.NotFound, versionNotFound)
		wantError(t, db.FinishDeleteVersion(project, "m", "v"), ml.NotFound, versionNotFound)
	})
}

func TestDB_SetDefaultVersion(t *testing.T) {
	db := withModel(t)
	db.add("v1", ml.VersionReady)
	db.add("v2", ml.VersionReady)
	db.add("v3", ml.VersionCreating)
	etag := must(db.Model(project, "m"))(t).Etag
	v := must(db.SetDefaultVersion(project, "m", "v2"))(t)
	if !v.IsDefault || v.Name != "projects/hearth/models/m/versions/v2" {
		t.Errorf("version is %+v", v)
	}
	equal(t, "default", db.defaultOf("m"), "v2")
	equal(t, "v1 is default", must(db.Version(project, "m", "v1"))(t).IsDefault, false)
	changed := must(db.Model(project, "m"))(t).Etag
	if string(changed) <= string(etag) {
		t.Errorf("etag went from %x to %x", etag, changed)
	}
	must(db.SetDefaultVersion(project, "m", "v2"))(t)
	equal(t, "etag", must(db.Model(project, "m"))(t).Etag, changed)
	_, err := db.SetDefaultVersion(project, "m", "v3")
	wantError(t, err, ml.FailedPrecondition, "Only a version that is READY can be the default; this one is CREATING.")
	_, err = db.SetDefaultVersion(project, "m", "v4")
	wantError(t, err, ml.NotFound, versionNotFound)
}

func TestDB_NextWorkerNumber(t *testing.T) {
	db := withModel(t)
	db.add("v", ml.VersionReady)
	for want := 1; want <= 3; want++ {
		equal(t, "number", must(db.NextWorkerNumber(project, "m", "v", 0))(t), want)
		db.reopen()
	}
	equal(t, "recorded number", must(db.AllVersions())(t)[0].Replicas, []VersionReplica{{WorkerNumber: 3}})
	must(db.BeginDeleteVersion(project, "m", "v"))(t)
	if err := db.FinishDeleteVersion(project, "m", "v"); err != nil {
		t.Fatal(err)
	}
	_, err := db.NextWorkerNumber(project, "m", "v", 0)
	wantError(t, err, ml.NotFound, versionNotFound)
	db.add("v", ml.VersionCreating)
	equal(t, "number after another version of the name", must(db.NextWorkerNumber(project, "m", "v", 0))(t), 4)
}

func TestDB_TouchVersion(t *testing.T) {
	db := withModel(t)
	v := db.add("v", ml.VersionReady)
	for _, at := range []time.Time{epoch, epoch.Add(-time.Hour)} {
		if err := db.TouchVersion(project, "m", "v", at); err != nil {
			t.Fatal(err)
		}
	}
	v.LastUseTime = ml.At(epoch)
	equal(t, "version", must(db.Version(project, "m", "v"))(t), v)
	wantError(t, db.TouchVersion(project, "m", "w", epoch), ml.NotFound, versionNotFound)
}

func TestDB_Operations(t *testing.T) {
	db := withModel(t)
	for _, id := range []string{"a", "b", "c"} {
		db.add(id, ml.VersionFailed)
	}
	first, next, err := db.Operations(project, 2, "")
	if err != nil {
		t.Fatal(err)
	}
	second, end, err := db.Operations(project, 2, next)
	if err != nil || end != "" {
		t.Fatal(end, err)
	}
	var got []string
	for _, op := range append(first, second...) {
		got = append(got, ml.LastSegment(op.Name))
	}
	equal(t, "operations", got, []string{"create_m_c-3", "create_m_b-2", "create_m_a-1"})
	_, err = db.Operation(project, "create_m_c-4")
	wantError(t, err, ml.NotFound, "The specified operation was not found.")
}
