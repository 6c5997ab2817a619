package sqlstore

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// probeWait is how long a server may take to answer before it counts as
	// out of reach, probePause how long it is left alone after that.
	probeWait  = 500 * time.Millisecond
	probePause = 100 * time.Millisecond
)

// reach knows whether the server answers. A call that got no answer has it
// probed; while the probe gets none either, calls fail at once instead of each
// waiting for itself, and none opens a connection.
type reach struct {
	probe func(context.Context) error
	// renew is called when the server is back: connections that were open
	// before lead nowhere.
	renew func()

	ctx context.Context // ends with the store
	end context.CancelFunc

	mu      sync.Mutex
	down    error // nil while the server answers
	lost    chan struct{}
	probing bool
	done    sync.WaitGroup
}

func newReach(probe func(context.Context) error, renew func()) *reach {
	r := &reach{probe: probe, renew: renew, lost: make(chan struct{})}
	r.ctx, r.end = context.WithCancel(context.Background())
	return r
}

// check returns why the server is out of reach, nil where it is not.
func (r *reach) check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.down
}

// bounded returns a context that ends after d, or when the server is out of
// reach.
func (r *reach) bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, d)
	r.mu.Lock()
	lost := r.lost
	r.mu.Unlock()
	go func() {
		select {
		case <-lost:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// doubt has the server probed, once at a time, until it answers. cut says that
// it ended a connection: the others are of no more use.
func (r *reach) doubt(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.probing || r.ctx.Err() != nil {
		return
	}
	r.probing = true
	if cut {
		r.renew()
	}
	r.done.Go(r.look)
}

// refuse has calls fail at once with err, until a probe gets an answer.
func (r *reach) refuse(err error) {
	r.settle(err)
	r.doubt(false)
}

func (r *reach) look() {
	pause := time.NewTicker(probePause)
	defer pause.Stop()
	for {
		ctx, cancel := context.WithTimeout(r.ctx, probeWait)
		err := r.probe(ctx)
		cancel()
		if r.settle(err) {
			return
		}
		select {
		case <-r.ctx.Done():
			return
		case <-pause.C:
		}
	}
}

// settle notes what a probe came to and reports whether that was the last.
func (r *reach) settle(err error) (last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil || sqlState(err) == pgTooMany { // which is an answer
		if r.down != nil {
			r.renew()
		}
		r.down, r.probing = nil, false
		return true
	}
	if r.down == nil {
		close(r.lost)
		r.lost = make(chan struct{})
	}
	r.down = fmt.Errorf("the server is out of reach: %w", plainPostgres(unprefixed(err)))
	return r.ctx.Err() != nil
}

func (r *reach) close() {
	r.end()
	r.mu.Lock()
	r.probing = true // no more
	r.mu.Unlock()
	r.done.Wait()
}
