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

// feed remembers how far the changes were followed, and which of this process
// were applied already.
type feed struct {
	after int64
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
	unsubscribe := r.rows.Changes.Subscribe(r.applyLocal)
	r.cancel = func() { unsubscribe(); cancel() }
	r.done.Go(func() { r.follow(ctx) })
	r.done.Go(func() { r.sweep(ctx) })
}

// Close stops following and waits. It may be called once, after Start.
func (r *Resolver) Close() {
	r.cancel()
	r.done.Wait()
}

func (r *Resolver) applyLocal(changes []store.Change) {
	r.feed.mu.Lock()
	if len(r.feed.local) > maxLocal || r.feed.local == nil {
		r.feed.local = make(map[int64]struct{})
	}
	for _, c := range changes {
		r.feed.local[c.Seq] = struct{}{}
	}
	r.feed.mu.Unlock()
	for _, c := range changes {
		r.apply(c)
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
func (r *Resolver) appliedHere(seq int64) bool {
	r.feed.mu.Lock()
	defer r.feed.mu.Unlock()
	_, ok := r.feed.local[seq]
	delete(r.feed.local, seq)
	return ok
}

func (r *Resolver) follow(ctx context.Context) {
	for ctx.Err() == nil {
		seq, err := r.rows.Changes.Latest(ctx)
		if err == nil {
			// What was looked up before rests on changes that nobody followed.
			r.missed()
			r.feed.after = seq
			break
		}
		pause(ctx, retryInterval)
	}
	for ctx.Err() == nil {
		if err := r.step(ctx); err != nil {
			pause(ctx, retryInterval)
		}
	}
}

// missed voids all verdicts and has the signing keys read again: something has
// changed, and nobody can say what.
func (r *Resolver) missed() {
	r.apply(store.Change{Kind: store.AllChanged})
	r.apply(store.Change{Kind: store.SigningKeysChanged})
}

// step applies what is new and waits for more. What the feed showed at began
// vouches for the cache until began plus the bound.
func (r *Resolver) step(ctx context.Context) error {
	began := r.now()
	latest, err := r.rows.Changes.Latest(ctx)
	if err != nil {
		return err
	}
	changes, err := r.rows.Changes.Since(ctx, r.feed.after, feedPage)
	if err != nil {
		return err
	}
	r.catchUp(latest, changes)
	if len(changes) == feedPage {
		return nil
	}
	r.trusted.Store(began.UnixNano() + r.maxStaleness.Load())
	return r.rows.Changes.Wait(ctx, r.feed.after)
}

// catchUp applies changes, which were read after latest was the newest
// sequence. Where one is missing it was removed before it was read here: this
// node was gone for longer than changes are kept, or a node whose clock is
// wrong thought so. A sequence that went back is that of a store that was
// restored. Both are changes of everything.
func (r *Resolver) catchUp(latest int64, changes []store.Change) {
	whole := true
	for _, c := range changes {
		whole = whole && c.Seq == r.feed.after+1
		if !r.appliedHere(c.Seq) {
			r.apply(c)
		}
		r.feed.after = c.Seq
	}
	if len(changes) == 0 && latest != r.feed.after {
		whole, r.feed.after = false, latest
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
