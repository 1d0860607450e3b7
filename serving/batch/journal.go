package batch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"hearth/ml"
)

// placePattern matches where in a record something is.
var placePattern = regexp.MustCompile(`instance \d+: | at byte \d+| before byte \d+| \(record at byte \d+\)| of byte \d+`)

// journal is which shards are done and what they came to: a line for each, durable
// before the shard counts as done. It also tells how far the job is.
type journal struct {
	dir  string
	plan *plan
	f    *os.File

	mu   sync.Mutex
	done map[int]counts
	// sum is of the shards that are done, live of those under way.
	sum  ml.PredictionProgress
	live ml.PredictionProgress
}

// entry is a line of the journal.
type entry struct {
	Shard int `json:"shard"`
	counts
}

// openJournal reads the journal of a plan. A last line that is not whole is what a
// crash left of it: its shard is not done.
func openJournal(dir string, p *plan) (*journal, error) {
	f, err := os.OpenFile(filepath.Join(dir, ml.FileDone), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the journal: %w", err)
	}
	j := &journal{dir: dir, plan: p, f: f, done: map[int]counts{}}
	j.sum.TotalBytes, j.sum.TotalShards = p.bytes(), len(p.Shards)
	whole := int64(0)
	for r := bufio.NewReader(f); ; {
		line, err := r.ReadBytes('\n')
		var e entry
		if err != nil || json.Unmarshal(bytes.TrimSpace(line), &e) != nil || e.Shard < 0 || e.Shard >= len(p.Shards) {
			break
		}
		whole += int64(len(line))
		j.count(e)
	}
	if err := f.Truncate(whole); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := f.Seek(whole, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	j.tell(j.sum)
	return j, nil
}

func (j *journal) count(e entry) {
	if _, again := j.done[e.Shard]; again {
		return
	}
	j.done[e.Shard] = e.counts
	s := j.plan.Shards[e.Shard]
	j.sum.Shards++
	j.sum.Bytes += s.End - s.Start
	j.sum.Predictions += e.Predictions
	j.sum.Errors += e.Errors
}

func (j *journal) isDone(shard int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, done := j.done[shard]
	return done
}

func (j *journal) shards() int { return j.total().Shards }

// total is of the shards that are done.
func (j *journal) total() ml.PredictionProgress {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.sum
}

// finish makes a shard done.
func (j *journal) finish(shard int, c counts) error {
	e := entry{shard, c}
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.mu.Lock()
	_, err = j.f.Write(append(line, '\n'))
	j.mu.Unlock()
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		return ml.Errorf(ml.ResourceExhausted, "The progress of the job cannot be kept: %v.", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.count(e)
	return nil
}

// underWay counts what a shard has done that is not complete.
func (j *journal) underWay(c counts, bytes int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.live.Predictions += c.Predictions
	j.live.Errors += c.Errors
	j.live.Bytes += bytes
}

// dropped takes back what a shard counted under way: it is done, or will be done
// again.
func (j *journal) dropped(o *output) {
	j.underWay(counts{-o.counts.Predictions, -o.counts.Errors}, -o.taken)
}

// tellEvery is how often progress is told.
const tellEvery = 500 * time.Millisecond

func (j *journal) keepTelling(ctx context.Context) {
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		j.mu.Lock()
		p := j.sum
		p.Predictions += j.live.Predictions
		p.Errors += j.live.Errors
		p.Bytes = min(p.Bytes+j.live.Bytes, p.TotalBytes)
		j.mu.Unlock()
		j.tell(p)
	}
}

// tell replaces the file with the progress. It is of no use after a crash, so
// nobody waits for the disk.
func (j *journal) tell(p ml.PredictionProgress) {
	_ = writeJSON(filepath.Join(j.dir, ml.FileProgress), p, false)
}

func (j *journal) close() error { return j.f.Close() }
