package batch

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"
)

// maxBatchBytes bounds what is read into a batch, but for its first record.
const maxBatchBytes = 32 << 20

// keepBytes is the room that a batch keeps for the next one.
const keepBytes = 2 * maxBatchBytes

// record is where in a batch a record is, and where in the file it began.
type record struct {
	start, end int
	at         int64
}

// batch is some consecutive records of a shard and what becomes of them.
type batch struct {
	raw     []byte
	records []record
	failed  []failed
	out     []byte
	good    int64
	taken   int64
	done    chan struct{}
}

// failed is a record of which nothing came but a reason.
type failed struct {
	at     int64
	reason string
}

func (b *batch) reset() {
	if cap(b.raw) > keepBytes {
		b.raw = nil
	}
	if cap(b.out) > keepBytes {
		b.out = nil
	}
	b.raw, b.records, b.failed, b.out = b.raw[:0], b.records[:0], b.failed[:0], b.out[:0]
	b.good, b.taken, b.done = 0, 0, make(chan struct{})
}

// doShard does a shard: its objects are in the bucket and its counts in the
// journal when it returns.
func (e *engine) doShard(ctx context.Context, number int) error {
	s := e.plan.Shards[number]
	out, err := newOutput(e, number)
	if err != nil {
		return err
	}
	defer out.close()
	g, inner := errgroup.WithContext(ctx)
	ordered := make(chan *batch, cap(e.free))
	g.Go(func() error {
		defer close(ordered)
		return e.fill(inner, s, ordered)
	})
	g.Go(func() error {
		var err error
		for b := range ordered {
			<-b.done
			// What was handed out has to come back, whatever went wrong.
			if err == nil {
				err = out.add(b)
			}
			e.free <- b
		}
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if err := out.publish(ctx); err != nil {
		return err
	}
	return e.journal.finish(number, out.counts)
}

// fill reads a shard into batches and hands them out.
func (e *engine) fill(ctx context.Context, s shard, ordered chan<- *batch) error {
	src, err := e.openShard(ctx, e.plan.Inputs[s.Input], s)
	if err != nil {
		return err
	}
	defer src.Close()
	taken := int64(0)
	for over := false; !over; {
		var b *batch
		select {
		case b = <-e.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		b.reset()
		if over, err = b.read(src, e.plan.BatchSize); err != nil || len(b.records)+len(b.failed) == 0 {
			e.free <- b
			return err
		}
		now := src.read()
		b.taken, taken = now-taken, now
		ordered <- b
		e.tasks <- b
	}
	return nil
}

// read fills a batch; over is true behind the last record.
func (b *batch) read(src source, size int) (over bool, err error) {
	for len(b.records)+len(b.failed) < size {
		start := len(b.raw)
		with, at, err := src.next(b.raw)
		b.raw = with
		var bad *badRecord
		switch {
		case errors.As(err, &bad):
			b.failed = append(b.failed, failed{at, bad.reason})
			continue
		case err == io.EOF:
			return true, nil
		case err != nil:
			return false, err
		}
		b.records = append(b.records, record{start, len(b.raw), at})
		if !roomy(b.raw) {
			break
		}
		// A line ends in white space, in which its last number is found to end.
		b.raw = append(b.raw, '\n')
	}
	return false, nil
}

func roomy(raw []byte) bool { return len(raw) < maxBatchBytes }
