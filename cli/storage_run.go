package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"hearth/cli/client"
	"hearth/ml"
)

// run carries out a plan: small things several at a time, then the large ones,
// of which each goes in several parts at once. One that fails does not stop the
// others.
func (j *copier) run(plan []transfer) error {
	show := newTransferBar(j.c, plan)
	failed := &failures{show: show, total: len(plan), what: "copied"}
	one := func(parallel int) func(context.Context, transfer) error {
		return func(ctx context.Context, t transfer) error {
			if !t.to.stream() {
				show.line("%s -> %s", t.from, t.to)
			}
			err := j.copy(ctx, t, parallel, show.add)
			if errors.Is(err, errSkipped) {
				show.line("Skipping %s: %s is there already", t.from, t.to)
				return nil
			}
			return err
		}
	}
	var small, large []transfer
	for _, t := range plan {
		if t.size >= client.Large && !t.to.stream() {
			large = append(large, t)
		} else {
			small = append(small, t)
		}
	}
	atOnce := j.parallel
	if plan[0].to.stream() {
		atOnce = 1
	}
	err := each(j.c.Context, atOnce, small, one(1), failed.add)
	if err == nil {
		err = each(j.c.Context, 1, large, one(j.parallel), failed.add)
	}
	show.end()
	if err != nil {
		return err
	}
	return failed.result()
}

// each does something with things, some at a time. failed hears of errors; one
// that it returns ends everything.
func each[T any](ctx context.Context, atOnce int, things []T, do func(context.Context, T) error, failed func(error) error) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, thing := range things {
		if groupCtx.Err() != nil {
			break
		}
		group.Go(func() error {
			err := groupCtx.Err()
			if err == nil {
				err = do(groupCtx, thing)
			}
			if err != nil {
				return failed(err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// failures collects what went wrong with some of many things.
type failures struct {
	show *transferBar
	// total is how many things there are, what is what was to be done to them.
	total int
	what  string
	// stop ends everything at the first error.
	stop bool

	mu    sync.Mutex
	count int
	first error
}

// add takes an error in, and gives it back if everything must end: nothing else
// will go better.
func (f *failures) add(err error) error {
	var unreachable *client.UnreachableError
	if f.stop || errors.Is(err, context.Canceled) || errors.As(err, &unreachable) || ml.KindOf(err) == ml.Unauthenticated {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count++; f.count == 1 {
		f.first = err
	}
	if f.total > 1 {
		f.show.failure(err)
	}
	return nil
}

// result is the error of the command.
func (f *failures) result() error {
	switch {
	case f.count == 0:
		return nil
	case f.total == 1:
		return f.first
	}
	return fmt.Errorf("%d of %d could not be %s", f.count, f.total, f.what)
}

// transferBar is the one progress bar of a command, and the lines above it.
type transferBar struct {
	c     *cli.Context
	began time.Time
	// over says that bytes travel between this machine and the bucket.
	over bool

	mu   sync.Mutex
	bar  *progressbar.ProgressBar
	sent int64
}

func newTransferBar(c *cli.Context, plan []transfer) *transferBar {
	show := &transferBar{c: c, began: time.Now()}
	total := int64(0)
	for _, t := range plan {
		show.over = show.over || t.from.remote() != t.to.remote() && !t.to.stream()
		if t.size < 0 {
			total = -1
			break
		}
		total += t.size
	}
	show.bar = byteBar(c, total, "")
	if len(plan) > 0 && plan[0].to.stream() && isTerminal(c.App.Writer) {
		show.bar = progressbar.NewOptions(-1, progressbar.OptionSetVisibility(false)) // the content is what is to be seen
	}
	return show
}

// add counts bytes that are done.
func (b *transferBar) add(n int64, skipped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !skipped {
		b.sent += n
	}
	// More than was planned, where a file grows, is no matter.
	_ = b.bar.Add64(n)
}

// line says what happens.
func (b *transferBar) line(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	notice(b.c, format, args...)
}

// failure says what went wrong, also where nothing else is to be said.
func (b *transferBar) failure(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	report(b.c.App.ErrWriter, err)
}

func (b *transferBar) clear() {
	if b.bar != nil && showsProgress(b.c) {
		_ = b.bar.Clear()
	}
}

// end takes the bar away and says how fast it went.
func (b *transferBar) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.clear()
	if took := time.Since(b.began).Seconds(); b.over && b.sent > 0 && took > 0 {
		notice(b.c, "Average throughput: %s/s", bytesText(int64(float64(b.sent)/took)))
	}
}
