package batch

import (
	"context"
	"errors"
	"time"
)

// The batch size is the smallest whose time for a record is nearly that of the
// best one, of the sizes that can be tried out in measureTime.
const (
	largestBatch = 512
	measureTime  = 400 * time.Millisecond
	nearlyBest   = 1.05
	// unmeasured is what the service takes, where no record can be tried out.
	unmeasured = 64
	// measureBytes bounds what is read to try sizes out with.
	measureBytes = 8 << 20
)

// measure finds the batch size with the first records of the input.
func (e *engine) measure(ctx context.Context, p *plan) (int, error) {
	sample, err := e.sample(ctx, p)
	if err != nil || len(sample.records) == 0 {
		return unmeasured, err
	}
	r := e.newRunner()
	// The first run of a graph is a slow one; records that are bad tell nothing.
	trial := repeat(sample, min(len(sample.records), 8))
	r.do(ctx, trial)
	if len(trial.failed) > 0 {
		return unmeasured, ctx.Err()
	}
	best, times := time.Duration(1<<62), map[int]time.Duration{}
	began := time.Now()
	for n := 1; n <= largestBatch && n*sample.size() <= maxBatchBytes; n *= 2 {
		per := e.timeBatch(ctx, r, sample, n)
		if per == 0 {
			break
		}
		times[n], best = per, min(best, per)
		// Twice as much takes twice as long.
		if time.Since(began)+2*time.Duration(n)*per > measureTime {
			break
		}
	}
	for n := 1; n <= largestBatch; n *= 2 {
		if per, tried := times[n]; tried && float64(per) <= nearlyBest*float64(best) {
			return n, ctx.Err()
		}
	}
	return unmeasured, ctx.Err()
}

// timeBatch gives the time for a record in batches of n, 0 if one of them failed.
func (e *engine) timeBatch(ctx context.Context, r *runner, sample *batch, n int) time.Duration {
	trial := repeat(sample, n)
	shortest := time.Duration(1 << 62)
	for began, runs := time.Now(), 0; runs < 2 || runs < 20 && time.Since(began) < 15*time.Millisecond; runs++ {
		trial.out, trial.failed = trial.out[:0], nil
		start := time.Now()
		r.do(ctx, trial)
		shortest = min(shortest, time.Since(start))
		if len(trial.failed) > 0 || ctx.Err() != nil {
			return 0
		}
	}
	return shortest / time.Duration(n)
}

// size is the mean size of a record.
func (b *batch) size() int { return max(1, len(b.raw)/len(b.records)) }

// repeat makes a batch of n records out of a few.
func repeat(sample *batch, n int) *batch {
	b := &batch{raw: sample.raw}
	for i := range n {
		b.records = append(b.records, sample.records[i%len(sample.records)])
	}
	return b
}

// sample reads the first records of the first shard that has any.
func (e *engine) sample(ctx context.Context, p *plan) (*batch, error) {
	for _, s := range p.Shards {
		if s.End == s.Start {
			continue
		}
		src, err := e.openShard(ctx, p.Inputs[s.Input], s)
		if err != nil {
			return nil, err
		}
		b := readSample(src)
		if err := src.Close(); err != nil {
			return nil, err
		}
		if len(b.records) > 0 {
			return b, nil
		}
	}
	return &batch{}, nil
}

func readSample(src source) *batch {
	b := &batch{}
	for len(b.records) < largestBatch && len(b.raw) < measureBytes {
		start := len(b.raw)
		with, at, err := src.next(b.raw)
		b.raw = with
		var bad *badRecord
		if errors.As(err, &bad) {
			continue
		}
		if err != nil {
			break // whoever reads the shard will meet it again
		}
		b.records = append(b.records, record{start, len(b.raw), at})
		b.raw = append(b.raw, '\n')
	}
	return b
}
