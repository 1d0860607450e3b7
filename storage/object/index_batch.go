package object

import (
	"errors"
	"fmt"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// batcher shares transactions, and so their syncs, among those who write at the
// same time. Unlike bbolt's own Batch it never waits for company: who finds the
// index idle goes at once, and those who come meanwhile go together afterwards.
type batcher struct {
	db *bolt.DB
	// lead is held by the one who runs a transaction.
	lead chan struct{}

	mu    sync.Mutex
	queue []*call
}

// call is one caller's part of a transaction.
type call struct {
	run func(*bolt.Tx) error
	err error
	// done gets the outcome once the transaction is over; it is buffered, so
	// that nobody need listen.
	done chan error
}

func newBatcher(db *bolt.DB) *batcher {
	return &batcher{db: db, lead: make(chan struct{}, 1)}
}

// update runs f in a transaction, perhaps with those of others, and returns
// when it is durable. An f that returns an error must have written nothing: the
// others' writes are committed all the same.
func (b *batcher) update(f func(*bolt.Tx) error) error {
	c := b.enqueue(f)
	select {
	case err := <-c.done:
		return err
	case b.lead <- struct{}{}:
		b.flush()
		// Either this flush ran c or one that ended before it.
		return <-c.done
	}
}

// later runs f with the next transaction, whoever asks for that. Nobody hears
// whether it worked.
func (b *batcher) later(f func(*bolt.Tx) error) { b.enqueue(f) }

// close runs what is still waiting.
func (b *batcher) close() {
	b.lead <- struct{}{}
	b.flush()
}

func (b *batcher) enqueue(f func(*bolt.Tx) error) *call {
	c := &call{run: f, done: make(chan error, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = append(b.queue, c)
	return c
}

var errAborted = errors.New("the transaction was aborted")

// flush runs everything that waits in one transaction. The caller holds lead,
// which is free again afterwards.
func (b *batcher) flush() {
	defer func() { <-b.lead }()
	b.mu.Lock()
	calls := b.queue
	b.queue = nil
	b.mu.Unlock()
	if len(calls) == 0 {
		return
	}
	err := errAborted // stands if a call panics
	defer func() {
		for _, c := range calls {
			if err != nil {
				c.err = fmt.Errorf("write the index: %w", diskError(err))
			}
			c.done <- c.err
		}
	}()
	err = b.db.Update(func(tx *bolt.Tx) error {
		for _, c := range calls {
			c.err = c.run(tx)
		}
		return nil
	})
}
