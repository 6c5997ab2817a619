// Package reach has calls fail fast while a server is out of reach. A store
// that is in doubt says so; the server is then probed until it answers. While it
// does not, calls fail at once instead of each waiting for itself, and those
// that wait already can give up.
//
// What a probe is, and what makes a doubt, each store knows by itself.
package reach

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Options say how a server is probed. All of them are needed but Back.
type Options struct {
	// Probe returns nil where the server answers, whatever it says. There is
	// one at a time, and its context ends after Wait.
	Probe func(context.Context) error
	// Wait is how long a probe may take before the server counts as out of
	// reach, Pause how often it is asked again after that.
	Wait, Pause time.Duration
	// Back is called when the server is there again, before calls are let
	// through: connections that were open before may lead nowhere. It must not
	// call the Reach.
	Back func()
}

// Reach knows whether a server answers. It is made by [New] and may be used by
// any number of goroutines.
type Reach struct {
	o Options

	ctx context.Context // ends with the Reach
	end context.CancelFunc

	mu      sync.Mutex
	up      context.Context // ends when the server is out of reach
	lose    context.CancelFunc
	down    error // nil while the server answers
	probing bool
	done    sync.WaitGroup
}

// New returns a Reach of a server that answers, until there is a doubt.
func New(o Options) *Reach {
	r := &Reach{o: o}
	r.ctx, r.end = context.WithCancel(context.Background())
	r.up, r.lose = context.WithCancel(r.ctx)
	return r
}

// Check returns why the server is out of reach, nil where it is not.
func (r *Reach) Check() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.down
}

// Bounded returns a context that ends after d, or when the server is out of
// reach, which may be at once.
func (r *Reach) Bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	r.mu.Lock()
	up := r.up
	r.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, d)
	forget := context.AfterFunc(up, cancel)
	return ctx, func() {
		forget()
		cancel()
	}
}

// Doubt has the server probed until it answers. began is false where that is
// under way already.
func (r *Reach) Doubt() (began bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.probing || r.ctx.Err() != nil {
		return false
	}
	r.probing = true
	r.done.Go(r.look)
	return true
}

// Refuse has calls fail at once with err, until a probe gets an answer.
func (r *Reach) Refuse(err error) {
	r.settle(err)
	r.Doubt()
}

// Close ends the probing and waits for it. The server is not asked again.
func (r *Reach) Close() {
	r.mu.Lock()
	r.end() // no probe begins after it
	r.mu.Unlock()
	r.done.Wait()
}

// look probes the server until it answers or the Reach is closed.
func (r *Reach) look() {
	pause := time.NewTicker(r.o.Pause)
	defer pause.Stop()
	for {
		ctx, cancel := context.WithTimeout(r.ctx, r.o.Wait)
		err := r.o.Probe(ctx)
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

// settle notes what a probe came to and reports whether the server answered.
func (r *Reach) settle(err error) (answered bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.lose()
		r.down = fmt.Errorf("the server is out of reach: %w", err)
		return false
	}
	if r.down != nil {
		if r.o.Back != nil {
			r.o.Back()
		}
		r.up, r.lose = context.WithCancel(r.ctx)
	}
	r.down, r.probing = nil, false
	return true
}
