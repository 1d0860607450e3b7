package prediction

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"hearth/ml"
)

// Folder is where a job keeps what all its attempts share.
type Folder string

// model is where the files of the model are.
func (f Folder) model() string { return filepath.Join(string(f), "model") }

// State is what the worker writes to: the plan and how far it is.
func (f Folder) State() string { return filepath.Join(string(f), "state") }

// Prepare makes the folder and settles which model the job uses, for all of its
// attempts.
func (f Folder) Prepare(ctx context.Context, models Models, project string, in *ml.PredictionInput) (Model, error) {
	if err := os.MkdirAll(f.State(), 0o700); err != nil {
		return Model{}, fmt.Errorf("make the job's folder: %w", err)
	}
	// An attempt before this one may have said why it failed.
	if err := os.RemoveAll(filepath.Join(f.State(), ml.FileFailure)); err != nil {
		return Model{}, err
	}
	m, err := f.Model()
	if errors.Is(err, fs.ErrNotExist) {
		if m, err = models.Find(project, in); err == nil {
			err = writeJSON(filepath.Join(string(f), ml.FileModel), m)
		}
	}
	if err != nil {
		return m, err
	}
	return m, models.Fetch(ctx, project, m, f.model())
}

// Model is what the job uses, [fs.ErrNotExist] if it has not been started.
func (f Folder) Model() (m Model, err error) {
	return m, readJSON(filepath.Join(string(f), ml.FileModel), &m)
}

// Progress is how far the worker is; nothing if it has not begun.
func (f Folder) Progress() (p ml.PredictionProgress) {
	// It is replaced as a whole; what cannot be read is not there yet.
	_ = readJSON(filepath.Join(f.State(), ml.FileProgress), &p)
	return p
}

// Failure is what the worker said when it gave up, empty if it said nothing.
func (f Folder) Failure() string {
	var failure ml.PredictionFailure
	_ = readJSON(filepath.Join(f.State(), ml.FileFailure), &failure)
	return failure.Message
}

// losses is how often the worker was lost without having got any further.
type losses struct {
	Shards    int `json:"shards"`
	Fruitless int `json:"fruitless"`
}

// maxFruitless is how often the worker may be lost without getting any further:
// it may be the job that brings it down.
const maxFruitless = 10

// Lost counts a loss of the worker and reports whether it may be started again.
func (f Folder) Lost() (bool, error) {
	path := filepath.Join(string(f), "losses.json")
	var l losses
	if err := readJSON(path, &l); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if shards := f.Progress().Shards; shards > l.Shards {
		l = losses{Shards: shards}
	}
	l.Fruitless++
	return l.Fruitless <= maxFruitless, writeJSON(path, l)
}

// Remove takes the folder away.
func (f Folder) Remove() error { return os.RemoveAll(string(f)) }

func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

// writeJSON replaces a file as a whole, durably.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = out.Write(b)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".part", path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
