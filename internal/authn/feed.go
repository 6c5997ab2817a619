package authn

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// feedPage is how many changes are read at once.
const feedPage = 1000

// sweepInterval is how often a few verdicts of every shard are looked at, and
// retryInterval how long a broken feed is left alone.
const (
	sweepInterval = time.Second
	retryInterval = 200 * time.Millisecond
)

// feed is one feed of changes, and how far it was followed.
type feed struct {
	number  int
	changes store.Changes
	after   int64
	// misses are the attempts that came to nothing since the last that did not.
	misses int
	// What follows belongs to the staleness and its lock. until is when this
	// feed ceases to vouch, in Unix nanoseconds, and heard when it last showed
	// all that there was, by a clock that nobody sets; broken says that the last
	// attempt came to nothing.
	until  int64
	heard  time.Time
	broken bool
	timer  *time.Timer

	mu    sync.Mutex
	local map[int64]struct{}
}

// maxLocal bounds the memory of changes applied here that the feed has not
// shown yet; past it they are applied twice, which only costs lookups.
const maxLocal = 100_000

// Start follows the changes of the store until Close. Changes of this process
// are applied before the call that makes them returns.
func (r *Resolver) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	var unsubscribe []func()
	for _, f := range r.staleness.feeds {
		unsubscribe = append(unsubscribe, f.changes.Subscribe(func(c []store.Change) { r.applyLocal(f, c) }))
	}
	r.cancel = func() {
		for _, end := range unsubscribe {
			end()
		}
		cancel()
	}
	for _, f := range r.staleness.feeds {
		r.done.Go(func() { r.follow(ctx, f) })
	}
	r.done.Go(func() { r.sweep(ctx) })
}

// Close stops following and waits. It may be called once, after Start.
func (r *Resolver) Close() {
	r.cancel()
	r.done.Wait()
	r.staleness.close()
}

func (r *Resolver) applyLocal(f *feed, changes []store.Change) {
	f.remember(changes)
	for _, c := range changes {
		r.apply(c)
	}
}

// remember notes what is applied by this process already.
func (f *feed) remember(changes []store.Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.local) > maxLocal || f.local == nil {
		f.local = make(map[int64]struct{})
	}
	for _, c := range changes {
		f.local[c.Seq] = struct{}{}
	}
}

func (r *Resolver) apply(c store.Change) {
	if c.Kind == store.SigningKeysChanged { // old keys verify on: every verdict holds
		if r.signers != nil {
			r.signers.Forget()
		}
		return
	}
	r.stamps.move(tag{c.Kind, c.Realm, c.ID}.normal())
}

// normal makes every spelling of "everything" one tag.
func (t tag) normal() tag {
	if t.kind == store.AllChanged {
		return tag{kind: store.AllChanged}
	}
	return t
}

// appliedHere reports whether a change was applied by this process already,
// and forgets it.
func (f *feed) appliedHere(seq int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.local[seq]
	delete(f.local, seq)
	return ok
}

func (r *Resolver) follow(ctx context.Context, f *feed) {
	for ctx.Err() == nil {
		seq, err := f.changes.Latest(ctx)
		if err == nil {
			// What was looked up before rests on changes that nobody followed.
			r.missed()
			f.after = seq
			break
		}
		r.miss(ctx, f, err)
	}
	for ctx.Err() == nil {
		if err := r.step(ctx, f); err != nil {
			r.miss(ctx, f, err)
		}
	}
}

// lostAfter is how many attempts have to come to nothing until that is told: one
// may be late on a machine that is busy for a moment.
const lostAfter = 2

// miss notes an attempt that came to nothing, and leaves the feed alone for a
// while.
func (r *Resolver) miss(ctx context.Context, f *feed, err error) {
	if ctx.Err() != nil {
		return // it is the end
	}
	r.staleness.miss(f)
	if f.misses++; f.misses == lostAfter {
		r.turned(f.number, err)
	}
	pause(ctx, retryInterval)
}

// hear notes that the feed showed all that there was at an instant, by two
// clocks.
func (r *Resolver) hear(f *feed, at, steady time.Time) {
	r.staleness.hear(f, at, steady)
	if f.misses >= lostAfter {
		r.turned(f.number, nil)
	}
	f.misses = 0
}

// missed voids all verdicts and has the signing keys read again: something has
// changed, and nobody can say what.
func (r *Resolver) missed() {
	r.apply(store.Change{Kind: store.AllChanged})
	r.apply(store.Change{Kind: store.SigningKeysChanged})
}

// step applies what is new and waits for more. What the feed showed at began
// vouches for the cache from then on.
func (r *Resolver) step(ctx context.Context, f *feed) error {
	began, steady := r.now(), time.Now()
	latest, err := f.changes.Latest(ctx)
	if err != nil {
		return err
	}
	changes, err := f.changes.Since(ctx, f.after, feedPage)
	if err != nil {
		return err
	}
	r.catchUp(f, latest, changes)
	if len(changes) == feedPage {
		return nil
	}
	r.hear(f, began, steady)
	return r.rest(ctx, f)
}

// pulses is how often within the trust in the cache a feed is heard at least.
const pulses = 3

// rest waits for more, until the store's heartbeat or, where the trust in the
// cache would lapse before that, sooner: such a feed is not broken.
func (r *Resolver) rest(ctx context.Context, f *feed) error {
	pulse, cancel := context.WithTimeout(ctx, r.staleness.bound()/pulses)
	defer cancel()
	err := f.changes.Wait(pulse, f.after)
	if err != nil && pulse.Err() != nil && ctx.Err() == nil {
		return nil
	}
	return err
}

// catchUp applies changes, which were read after latest was the newest
// sequence. Where one is missing it was removed before it was read here: this
// node was gone for longer than changes are kept, or a node whose clock is
// wrong thought so. A sequence that went back is that of a store that was
// restored. Both are changes of everything.
func (r *Resolver) catchUp(f *feed, latest int64, changes []store.Change) {
	whole := true
	for _, c := range changes {
		whole = whole && c.Seq == f.after+1
		if !f.appliedHere(c.Seq) {
			r.apply(c)
		}
		f.after = c.Seq
	}
	if len(changes) == 0 && latest != f.after {
		whole, f.after = false, latest
	}
	if !whole {
		r.missed()
	}
}

func (r *Resolver) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		r.cache.sweep(r.now())
		pause(ctx, sweepInterval)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
