package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hearth/ml"
)

// input is an object that is read, as it was when the job began.
type input struct {
	Bucket     string `json:"bucket"`
	Name       string `json:"name"`
	Generation int64  `json:"generation"`
	Size       int64  `json:"size"`
	Encoded    bool   `json:"encoded,omitempty"` // stored as gzip by its Content-Encoding
}

// URI is its gs:// address.
func (i input) URI() string { return "gs://" + i.Bucket + "/" + i.Name }

// shard is a part of an input, from a byte to before another, whose results are
// one object. Lines belong to the shard in which they begin.
type shard struct {
	Input int   `json:"input"`
	Start int64 `json:"start"`
	End   int64 `json:"end"`
}

// plan is what a job does. It does not change from attempt to attempt.
type plan struct {
	Inputs []input `json:"inputs"`
	Shards []shard `json:"shards"`
	// BatchSize is how many records a run takes at most.
	BatchSize int `json:"batchSize"`
}

func (p *plan) bytes() (sum int64) {
	for _, s := range p.Shards {
		sum += s.End - s.Start
	}
	return sum
}

// maxShards is how many results there can be: their names have five digits.
const maxShards = 99999

// makePlan reads the plan of an earlier attempt, or lists the inputs and cuts them
// into shards. What is read of them for that is left to e.
func (e *engine) makePlan(ctx context.Context) (*plan, error) {
	path := filepath.Join(e.task.StateDir, ml.FilePlan)
	p := &plan{}
	if err := readJSON(path, p); !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	if err := e.checkOutput(ctx); err != nil {
		return nil, err
	}
	var err error
	if p.Inputs, err = e.listInputs(ctx); err != nil {
		return nil, err
	}
	if err := e.cut(ctx, p); err != nil {
		return nil, err
	}
	if len(p.Shards) > maxShards {
		return nil, ml.Errorf(ml.InvalidArgument, "The input has %d files and parts of files; at most %d can be done by one job.", len(p.Shards), maxShards)
	}
	if p.BatchSize = e.fixedBatch(); p.BatchSize == 0 {
		if p.BatchSize, err = e.measure(ctx, p); err != nil {
			return nil, err
		}
	}
	return p, writeJSON(path, p, true)
}

// checkOutput finds out before all the work that there is no place for results.
func (e *engine) checkOutput(ctx context.Context) error {
	name, _, _ := ml.ObjectURI(e.task.Input.OutputPath)
	if err := e.bucket.exists(ctx, name); err != nil {
		return ml.Errorf(ml.NotFound, "The output %s cannot be written: %v", e.task.Input.OutputPath, err)
	}
	return nil
}

func (e *engine) listInputs(ctx context.Context) ([]input, error) {
	var all []input
	for _, path := range e.task.Input.InputPaths {
		found, err := e.expand(ctx, path)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, ml.Errorf(ml.NotFound, "There is no object that matches %s (inputPaths).", path)
		}
		all = append(all, found...)
	}
	slices.SortFunc(all, func(a, b input) int { return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.Name, b.Name)) })
	return slices.CompactFunc(all, func(a, b input) bool { return a.Bucket == b.Bucket && a.Name == b.Name }), nil
}

// expand finds the objects that a path stands for, but for those that stand for
// folders.
func (e *engine) expand(ctx context.Context, path string) ([]input, error) {
	in, name, _ := ml.ObjectURI(path)
	prefix, _, wild := strings.Cut(name, "*")
	var found []object
	if wild {
		all, err := e.bucket.list(ctx, in, prefix)
		if err != nil {
			return nil, ml.Errorf(ml.NotFound, "The input %s cannot be listed: %v", path, err)
		}
		matches := wildcard(name)
		for _, o := range all {
			if matches.MatchString(o.Name) && !strings.HasSuffix(o.Name, "/") {
				found = append(found, o)
			}
		}
	} else {
		o, err := e.bucket.stat(ctx, in, name)
		if err != nil {
			return nil, ml.Errorf(ml.NotFound, "The input %s cannot be read: %v", path, err)
		}
		if o != nil {
			found = append(found, *o)
		}
	}
	inputs := make([]input, len(found))
	for i, o := range found {
		inputs[i] = input{Bucket: in, Name: o.Name, Generation: int64(o.Generation), Size: int64(o.Size), Encoded: o.ContentEncoding == "gzip"}
	}
	return inputs, nil
}

// wildcard compiles a path: `*` is any part of a name without a slash, `**` any
// part.
func wildcard(pattern string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(quoted, `\*\*`, `.*`)
	return regexp.MustCompile(`(?s)\A` + strings.ReplaceAll(quoted, `\*`, `[^/]*`) + `\z`)
}

// cut makes the shards.
func (e *engine) cut(ctx context.Context, p *plan) error {
	for i, file := range p.Inputs {
		bounds := []int64{0, file.Size}
		if file.Size > e.task.ShardBytes*3/2 && !e.compressed(file) {
			var err error
			if bounds, err = e.bounds(ctx, file); err != nil {
				return err
			}
		}
		for at := range len(bounds) - 1 {
			p.Shards = append(p.Shards, shard{i, bounds[at], bounds[at+1]})
		}
	}
	return nil
}

func (e *engine) compressed(file input) bool {
	return file.Encoded || strings.HasSuffix(file.Name, ".gz") || e.task.Input.DataFormat == ml.FormatTFRecordGzip
}

// bounds gives where the parts of a large file begin, and its end.
func (e *engine) bounds(ctx context.Context, file input) ([]int64, error) {
	head, err := e.magic(ctx, file)
	if err != nil || head {
		return []int64{0, file.Size}, err
	}
	if e.records() {
		return e.recordBounds(ctx, file)
	}
	var bounds []int64
	for at := int64(0); at < file.Size; at += e.task.ShardBytes {
		bounds = append(bounds, at)
	}
	return append(bounds, file.Size), nil
}

// records reports whether the input is TFRecords.
func (e *engine) records() bool {
	return e.task.Input.DataFormat == ml.FormatTFRecord || e.task.Input.DataFormat == ml.FormatTFRecordGzip
}

// resultName is the name of one of a shard's objects.
func (e *engine) resultName(kind string, shard, shards int) (bucket, name string) {
	bucket, folder, _ := ml.ObjectURI(e.task.Input.OutputPath)
	if folder != "" && !strings.HasSuffix(folder, "/") {
		folder += "/"
	}
	return bucket, fmt.Sprintf("%sprediction.%s-%05d-of-%05d", folder, kind, shard, shards)
}
