package serving_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"hearth/ml"
	"hearth/serving"
)

func TestManager_BadLimits(t *testing.T) {
	h := newHouse(t)
	r := h.start()
	if _, err := r.CreateModel(t.Context(), "hearth", &ml.Model{Name: "half"}); err != nil {
		t.Fatal(err)
	}
	for label, value := range map[string]string{"hearth-max-in-flight": "0", "hearth-max-batch": "many", "hearth-timeout": "-1s", "hearth-max-batches": "1"} {
		_, err := r.CreateVersion(t.Context(), "hearth", "half", &ml.Version{Name: "v1", DeploymentURI: "gs://models/half/v1", Labels: map[string]string{label: value}})
		if e, ok := err.(*ml.Error); !ok || e.Kind != ml.InvalidArgument || e.Field != "labels."+label {
			t.Errorf("%s=%s: %v", label, value, err)
		}
	}
}

func TestManager_Limits(t *testing.T) {
	h := newHouse(t)
	r := h.start()
	fifo := filepath.Join(h.dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r.createScaled("half", "blocks "+fifo, &ml.Version{Name: "v1", Labels: map[string]string{"hearth-max-in-flight": "1", "team": "x"}})
	blocked := make(chan struct{})
	go func() {
		defer close(blocked)
		r.wants("half", "v1", 7, 5.5)
	}()
	w, err := unix.Open(fifo, unix.O_WRONLY, 0) // waits for the run
	if err != nil {
		t.Fatal(err)
	}
	r.refuses("half", "v1", ml.ResourceExhausted)
	if err := unix.Close(w); err != nil {
		t.Fatal(err)
	}
	<-blocked
	r.createScaled("half", "blocks "+fifo, &ml.Version{Name: "v2", Labels: map[string]string{"hearth-timeout": "50ms"}})
	began := time.Now()
	_, err = r.Predict(context.Background(), serving.PredictRequest{Project: "hearth", Model: "half", Version: "v2", Body: []byte(`{"instances":[7]}`)})
	if ml.KindOf(err) != ml.DeadlineExceeded || time.Since(began) > patience {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
	if w, err = unix.Open(fifo, unix.O_WRONLY, 0); err == nil {
		err = unix.Close(w)
	}
	if err != nil {
		t.Fatal(err)
	}
}
