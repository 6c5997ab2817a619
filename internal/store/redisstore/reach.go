package redisstore

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// doubtAfter is how long an exchange may go without its answer before the
	// server is probed, probeWait how long that may take before the server
	// counts as out of reach, probePause how long it is left alone after that.
	doubtAfter = 200 * time.Millisecond
	probeWait  = 700 * time.Millisecond
	probePause = 100 * time.Millisecond
)

// reach knows whether the server answers. An exchange that waits for its answer
// has it probed; once the probe gets none either, those who read give up, and calls
// fail at once instead of each waiting for itself, until a probe is answered.
type reach struct {
	probe func(context.Context) error

	ctx context.Context // ends with the store
	end context.CancelFunc

	mu      sync.Mutex
	up      context.Context // ends when the server is out of reach
	lose    context.CancelFunc
	down    error // nil while the server answers
	probing bool
	done    sync.WaitGroup
}

func newReach(probe func(context.Context) error) *reach {
	r := &reach{probe: probe}
	r.ctx, r.end = context.WithCancel(context.Background())
	r.up, r.lose = context.WithCancel(r.ctx)
	return r
}

// bounded returns a context that ends after d, or unless patient when the server
// is out of reach, and an error where it is that already.
func (r *reach) bounded(ctx context.Context, d time.Duration, patient bool) (context.Context, context.CancelFunc, error) {
	r.mu.Lock()
	up, down := r.up, r.down
	r.mu.Unlock()
	if down != nil {
		return nil, nil, down
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	lost := func() bool { return true }
	if !patient {
		lost = context.AfterFunc(up, cancel)
	}
	slow := time.AfterFunc(doubtAfter, r.doubt)
	return ctx, func() {
		slow.Stop()
		lost()
		cancel()
	}, nil
}

// doubt has the server probed, once at a time, until it answers.
func (r *reach) doubt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.probing || r.ctx.Err() != nil {
		return
	}
	r.probing = true
	r.done.Go(r.look)
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
	if err != nil {
		r.lose()
		r.down = fmt.Errorf("the server is out of reach: %w", err)
		return false
	}
	if r.down != nil {
		r.up, r.lose = context.WithCancel(r.ctx)
	}
	r.down, r.probing = nil, false
	return true
}

func (r *reach) close() {
	r.end()
	r.mu.Lock()
	r.probing = true // no more
	r.mu.Unlock()
	r.done.Wait()
}
