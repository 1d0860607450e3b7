package batch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hearth/ml"
	"hearth/serving/tensor"
)

// runner runs batches, one at a time.
type runner struct {
	e *engine
	// rows gathers the records of a run, alone tries one by itself.
	rows, alone *tensor.Rows
	csv         bool
	group       []record
	strings     [][]byte
}

func (e *engine) newRunner() *runner {
	r := &runner{e: e, csv: e.task.Input.OutputDataFormat == ml.FormatCSV}
	if !e.raw {
		// load has seen that this works.
		r.rows, _ = tensor.NewRows(e.signature)
		r.alone, _ = tensor.NewRows(e.signature)
	}
	return r
}

// do parses, runs and formats a batch. Which records share a run follows from the
// batch alone.
func (r *runner) do(ctx context.Context, b *batch) {
	if r.e.raw {
		r.flush(ctx, b, b.records)
		b.sortFailed()
		return
	}
	r.rows.Reset()
	group := r.group[:0]
	defer func() { r.group = group }()
	for _, rec := range b.records {
		err := r.rows.Add(b.raw, rec.start, rec.end)
		if err != nil {
			r.alone.Reset()
			if err := r.alone.Add(b.raw[rec.start:rec.end], 0, rec.end-rec.start); err != nil {
				b.fail(rec, err)
				continue
			}
			// It is good, but of another shape than those before it.
			r.flush(ctx, b, group)
			group = group[:0]
			r.rows.Reset()
			if err := r.rows.Add(b.raw, rec.start, rec.end); err != nil {
				b.fail(rec, err)
				continue
			}
		}
		group = append(group, rec)
	}
	r.flush(ctx, b, group)
	b.sortFailed()
}

// flush runs the records that have been gathered, and one by one those of a run
// that fails.
func (r *runner) flush(ctx context.Context, b *batch, group []record) {
	if len(group) == 0 || ctx.Err() != nil {
		return
	}
	err := r.run(ctx, b, group)
	if err == nil {
		b.good += int64(len(group))
		return
	}
	if len(group) == 1 {
		b.fail(group[0], err)
		return
	}
	for i := range group {
		if !r.e.raw {
			r.rows.Reset()
			if err := r.rows.Add(b.raw, group[i].start, group[i].end); err != nil {
				b.fail(group[i], err)
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		if err := r.run(ctx, b, group[i:i+1]); err != nil {
			b.fail(group[i], err)
			continue
		}
		b.good++
	}
}

// run runs records together and appends their lines to the batch's.
func (r *runner) run(ctx context.Context, b *batch, group []record) error {
	in, err := r.inputs(b, group)
	if err != nil {
		return err
	}
	out, err := r.e.model.Run(ctx, r.e.signature, in)
	if err != nil {
		return err
	}
	write := tensor.AppendLines
	if r.csv {
		write = tensor.AppendCSV
	}
	with, err := write(b.out, r.e.signature, out, len(group))
	if err == nil {
		b.out = with
	}
	return err
}

func (r *runner) inputs(b *batch, group []record) (map[string]*tensor.Tensor, error) {
	if !r.e.raw {
		return r.rows.Inputs()
	}
	r.strings = r.strings[:0]
	for _, rec := range group {
		r.strings = append(r.strings, b.raw[rec.start:rec.end])
	}
	return map[string]*tensor.Tensor{r.e.text.Name: tensor.StringRows(r.e.text, r.strings)}, nil
}

func (b *batch) fail(rec record, err error) {
	b.failed = append(b.failed, failed{rec.at, sentence(err)})
}

func (b *batch) sortFailed() {
	slices.SortFunc(b.failed, func(x, y failed) int { return cmp.Compare(x.at, y.at) })
}

// sentence gives what the job's owner is told of an error.
func sentence(err error) string {
	var shown *ml.Error
	if errors.As(err, &shown) {
		return shown.Message
	}
	return err.Error()
}

// describe lists inputs with their types.
func describe(inputs map[string]tensor.Spec) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		all = append(all, fmt.Sprintf("%s (%s)", name, inputs[name].DType))
	}
	return strings.Join(all, ", ")
}
