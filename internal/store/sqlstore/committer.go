package sqlstore

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// maxBatch bounds a transaction, and with it how long the first caller
	// in it waits for the last.
	maxBatch = 512
	// maxWaiting bounds the memory that writes hold while the disk is slow.
	maxWaiting = 8192
)

// write is what one caller wants done.
type write struct {
	ctx  context.Context
	do   func(*tx) error
	err  error
	done chan error
}

// committer carries out all writes, one transaction at a time. It never waits
// for more of them: what comes in while one transaction syncs is the next.
type committer struct {
	writer  *writer
	place   *presence
	touched *touches
	now     func() time.Time
	observe func(op string, took time.Duration, err error)
	// publish hands changes to the subscribers, after their commit and
	// before those who made them are answered.
	publish func([]store.Change)

	mu      sync.Mutex
	waiting []*write
	closed  bool

	wake chan struct{} // one token: something waits, or the end has come
	done chan struct{} // closed when the goroutine has ended
}

func (c *committer) start() {
	c.wake, c.done = make(chan struct{}, 1), make(chan struct{})
	go c.loop()
}

// submit hands over a write and waits until it is durable. When ctx ends
// first the answer is Unavailable and the write may still be carried out.
func (c *committer) submit(ctx context.Context, do func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &write{ctx: ctx, do: do, done: make(chan error, 1)}
	if err := c.enqueue(w); err != nil {
		return err
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *committer) enqueue(w *write) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return unavailable(errClosed)
	}
	if len(c.waiting) >= maxWaiting {
		return unavailable(fmt.Errorf("%d writes wait already", maxWaiting))
	}
	c.waiting = append(c.waiting, w)
	c.poke()
	return nil
}

// over reports whether the committer takes no more.
func (c *committer) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// poke wakes the goroutine.
func (c *committer) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close refuses further writes and returns when those under way are done.
func (c *committer) close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.poke()
	<-c.done
}

// loop runs until the committer is closed and nothing waits.
func (c *committer) loop() {
	defer close(c.done)
	for {
		batch, closed := c.next()
		stamps := c.touched.take(closed)
		if len(batch)+len(stamps) > 0 {
			c.commit(batch, stamps, closed)
			continue
		}
		if closed {
			return
		}
		c.rest()
	}
}

// next takes what waits.
func (c *committer) next() (batch []*write, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.waiting), maxBatch)
	batch, c.waiting = c.waiting[:n:n], c.waiting[n:]
	return batch, c.closed
}

// rest blocks until something waits or stamps are due.
func (c *committer) rest() {
	due, ok := c.touched.due()
	if !ok {
		<-c.wake
		return
	}
	timer := time.NewTimer(due)
	defer timer.Stop()
	select {
	case <-c.wake:
	case <-timer.C:
	}
}

// commit carries out a batch and answers its callers.
func (c *committer) commit(batch []*write, stamps []stamp, closed bool) {
	start := c.now()
	changes, err := c.transact(batch, stamps)
	c.observe("commit", c.now().Sub(start), err)
	c.touched.settle(err == nil || closed)
	if len(changes) > 0 {
		c.publish(changes)
	}
	for _, w := range batch {
		if err != nil {
			w.err = err
		}
		w.done <- w.err
	}
	if len(batch) > 1 {
		// Those just answered are likely to write again: let them run, or
		// every other transaction would carry one row.
		runtime.Gosched()
	}
}

// transact carries out a batch in one transaction. What each write came to
// stands in its err; an error returned is that of all of them.
func (c *committer) transact(batch []*write, stamps []stamp) ([]store.Change, error) {
	if err := c.place.check(); err != nil {
		return nil, err
	}
	t, err := c.writer.begin(context.Background())
	if err != nil {
		return nil, err
	}
	for _, w := range batch {
		if w.err = w.ctx.Err(); w.err != nil {
			continue // nobody waits for it
		}
		t.now = store.Precise(c.now())
		if w.err = w.do(t); w.err != nil && c.writer.flavour.fatal(w.err) {
			c.writer.discard()
			return nil, w.err
		}
	}
	if err := t.stamp(stamps); err != nil {
		c.writer.discard()
		return nil, err
	}
	if err := c.writer.control(t.ctx, "COMMIT"); err != nil {
		c.writer.discard()
		return nil, err
	}
	return t.changes, nil
}
