package batch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"hearth/ml"
)

// counts are what a shard came to.
type counts struct {
	Predictions int64 `json:"predictions"`
	Errors      int64 `json:"errors"`
}

// output gathers the results of a shard in files, which become objects once they
// are complete.
type output struct {
	e       *engine
	number  int
	counts  counts
	taken   int64
	results *spool
	errors  *spool
	// reasons counts the errors by what they say.
	reasons map[string]int64
}

// spool is a file that is written first and then sent; it has no name.
type spool struct {
	f *os.File
	w *bufio.Writer
	n int64
}

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "spool-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &spool{f: f, w: bufio.NewWriterSize(f, 256<<10)}, nil
}

func (s *spool) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	s.n += int64(n)
	if err != nil {
		err = ml.Errorf(ml.ResourceExhausted, "Results cannot be kept until they are complete: %v.", err)
	}
	return n, err
}

func (s *spool) close() {
	if s != nil {
		_ = s.f.Close()
	}
}

func newOutput(e *engine, number int) (*output, error) {
	results, err := newSpool(e.task.TempDir)
	if err != nil {
		return nil, ml.Errorf(ml.ResourceExhausted, "Results cannot be kept until they are complete: %v.", err)
	}
	return &output{e: e, number: number, results: results, reasons: map[string]int64{}}, nil
}

func (o *output) close() {
	o.results.close()
	o.errors.close()
	o.e.journal.dropped(o)
}

// add takes what became of a batch.
func (o *output) add(b *batch) error {
	if _, err := o.results.Write(b.out); err != nil {
		return err
	}
	for _, f := range b.failed {
		if err := o.addError(f); err != nil {
			return err
		}
	}
	c := counts{b.good, int64(len(b.failed))}
	o.counts.Predictions, o.counts.Errors, o.taken = o.counts.Predictions+c.Predictions, o.counts.Errors+c.Errors, o.taken+b.taken
	o.e.journal.underWay(c, b.taken)
	return nil
}

// errorLine is a line of prediction.errors-*.
type errorLine struct {
	File   string `json:"file"`
	Offset int64  `json:"offset"`
	Reason string `json:"reason"`
}

// maxReasons bounds the reasons that are told apart, maxReason their length.
const (
	maxReasons  = 1000
	maxReason   = 1000
	otherReason = "other errors"
)

func (o *output) addError(f failed) error {
	reason := f.reason
	if len(reason) > maxReason {
		reason = reason[:maxReason] + "…"
	}
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if o.errors == nil {
		var err error
		if o.errors, err = newSpool(o.e.task.TempDir); err != nil {
			return ml.Errorf(ml.ResourceExhausted, "Errors cannot be kept until they are complete: %v.", err)
		}
	}
	shard := o.e.plan.Shards[o.number]
	encoder := json.NewEncoder(o.errors)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(errorLine{o.e.plan.Inputs[shard.Input].URI(), f.at, reason}); err != nil {
		return err
	}
	kind := kindOf(reason)
	if _, known := o.reasons[kind]; !known && len(o.reasons) >= maxReasons {
		kind = otherReason
	}
	o.reasons[kind]++
	return nil
}

// kindOf is what the errors of one cause have in common: what they say without the
// places at which they say it.
func kindOf(reason string) string {
	first, _, _ := strings.Cut(reason, "\n")
	return placePattern.ReplaceAllString(first, "")
}

// publish makes the objects of a shard that is complete: the results last, for
// whoever sees them has the others too.
func (o *output) publish(ctx context.Context) error {
	stats, err := newSpool(o.e.task.TempDir)
	if err != nil {
		return err
	}
	defer stats.close()
	for _, reason := range slices.Sorted(maps.Keys(o.reasons)) {
		if _, err := fmt.Fprintf(stats, "(%s, %d)\n", reason, o.reasons[reason]); err != nil {
			return err
		}
	}
	if o.errors != nil {
		if err := o.put(ctx, "errors", "application/json", o.errors); err != nil {
			return err
		}
	}
	if err := o.put(ctx, "errors_stats", "text/plain", stats); err != nil {
		return err
	}
	contentType := "application/json"
	if o.e.task.Input.OutputDataFormat == ml.FormatCSV {
		contentType = "text/csv"
	}
	return o.put(ctx, "results", contentType, o.results)
}

func (o *output) put(ctx context.Context, kind, contentType string, s *spool) error {
	if err := s.w.Flush(); err != nil {
		return ml.Errorf(ml.ResourceExhausted, "Results cannot be kept until they are complete: %v.", err)
	}
	bucket, name := o.e.resultName(kind, o.number, len(o.e.plan.Shards))
	if err := o.e.bucket.put(ctx, bucket, name, contentType, s.f, s.n); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return ml.Errorf(ml.Unavailable, "The output gs://%s/%s cannot be written: %v", bucket, name, err)
	}
	return nil
}
