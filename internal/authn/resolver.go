package authn

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// The defaults of [Config].
const (
	DefaultCacheSize    = 100_000
	DefaultMaxStaleness = 5 * time.Second
	// DefaultLookupTimeout bounds a lookup of several calls, each of which the
	// store bounds too and more tightly: a store that is far away and answers is
	// not one that is out of reach.
	DefaultLookupTimeout = time.Second
)

// outageTimeout bounds a lookup while the store is known to be out of reach, so
// that those who ask meanwhile are answered at once.
const outageTimeout = 250 * time.Millisecond

// Config is what a [Resolver] stands on.
type Config struct {
	Store store.Store
	// Signers verify JWTs issued here; nil where none are.
	Signers *token.Signers
	// Issuers keep the keys of outside issuers; nil where none are trusted.
	Issuers *issuer.Pool
	Now     func() time.Time
	// CacheSize is the most verdicts kept, MaxStaleness how long they are
	// trusted while a change feed is silent; 0 is the default.
	CacheSize    int
	MaxStaleness time.Duration
	// Grace is as [Resolver.SetGrace] takes it.
	Grace time.Duration
	// Turned is told that a feed was lost, with the cause, and that it is heard
	// again, with nil: once each. The feed is counted as [store.Store.Feeds] does.
	// It is called from the goroutine that follows the feed; nil is nobody.
	Turned func(feed int, lost error)
	// LookupTimeout is how long a request waits for its lookup, whatever the
	// store does, before it is [auth.Unavailable]; 0 is the default.
	LookupTimeout time.Duration
}

// Resolver turns credentials into verdicts. Between New and Start it works
// without a cache.
type Resolver struct {
	rows    store.Store
	signers *token.Signers
	issuers *issuer.Pool
	now     func() time.Time
	stamps  *stamps
	cache   *cache
	flights singleflight.Group
	// grace is a time.Duration.
	grace        atomic.Int64
	timeout      time.Duration
	turned       func(feed int, lost error)
	staleness    staleness
	hits, misses atomic.Uint64
	cancel       func()
	done         sync.WaitGroup
}

// New returns a resolver that is not yet following changes.
func New(c Config) *Resolver {
	s := newStamps()
	r := &Resolver{
		rows: c.Store, signers: c.Signers, issuers: c.Issuers, now: c.Now,
		stamps: s, cache: newCache(s, cmp.Or(c.CacheSize, DefaultCacheSize)),
		timeout: cmp.Or(c.LookupTimeout, DefaultLookupTimeout), turned: c.Turned,
	}
	if r.turned == nil {
		r.turned = func(int, error) {}
	}
	for i, changes := range c.Store.Feeds() {
		r.staleness.feeds = append(r.staleness.feeds, &feed{number: i, changes: changes})
	}
	r.SetMaxStaleness(c.MaxStaleness)
	r.SetGrace(c.Grace)
	return r
}

// Resolve returns who presents c in a realm, and counts as a use of a token
// that lives while it is used ([End]). Errors: [auth.InvalidCredential]
// with a reason for audit, [auth.Unavailable] when the store is out of reach
// or ctx ended.
func (r *Resolver) Resolve(ctx context.Context, realm string, c bearer.Credential) (*Verdict, error) {
	return r.ResolveTrusting(ctx, nil, realm, c)
}

// ResolveTrusting is [Resolver.Resolve] for a site that takes the JWTs of
// outside issuers too, as a Bearer; nil trusts none. Besides, a token is
// [auth.Unavailable] where the keys of its issuer are out of reach.
func (r *Resolver) ResolveTrusting(
	ctx context.Context, trust *issuer.Trust, realm string, c bearer.Credential,
) (*Verdict, error) {
	now := r.now().UnixNano()
	k := keyOf(realm, c)
	if trust != nil {
		if trust = r.outsiders(trust, c); trust != nil {
			k = k.under(trust)
		}
	}
	if now < r.staleness.until.Load() {
		if v := r.cached(ctx, k, now); v != nil {
			return v, nil
		}
	}
	r.misses.Add(1)
	q := question{trust, realm, c}
	v, err := r.fill(ctx, q, k)
	if err == nil && v.over(now) { // it was looked up for who asked before its end
		v, err = r.fill(ctx, q, k)
	}
	if err != nil {
		return r.spare(ctx, k, now, err)
	}
	r.use(ctx, v.idle, now)
	return v, nil
}

// cached returns the verdict that was kept, nil for none that holds.
func (r *Resolver) cached(ctx context.Context, k cacheKey, now int64) *Verdict {
	e := r.cache.get(k, now)
	if e == nil {
		return nil
	}
	r.hits.Add(1)
	r.use(ctx, e.idle, now)
	if e.outside != nil {
		e.outside.Use(now)
	}
	return e.verdict
}

// question is what a lookup is to answer.
type question struct {
	// trust is nil unless the credential may be of an outside issuer.
	trust      *issuer.Trust
	realm      string
	credential bearer.Credential
}

// fill looks up once for all who ask at the same time. The flight is named
// after the generation too: who asks after a change must not be answered by a
// lookup from before it. Nobody waits longer than the timeout, not even for a
// disk that does not answer, which no context ends.
func (r *Resolver) fill(ctx context.Context, q question, k cacheKey) (*Verdict, error) {
	within, spent := store.Spend(ctx)
	defer spent()
	gen, patience := r.stamps.gen.Load(), r.patience()
	flight := string(binary.BigEndian.AppendUint64(k[:], gen))
	ch := r.flights.DoChan(flight, func() (any, error) { return r.fly(ctx, q, k, gen, patience) })
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case res := <-ch:
		return landed(res)
	case <-late.C:
		select {
		case res := <-ch: // what kept the machine busy kept the timer too
			return landed(res)
		default:
			return nil, auth.Fail(auth.Unavailable, auth.ReasonStore, errLate)
		}
	case <-within.Done():
		if ctx.Err() != nil {
			return nil, auth.Fail(auth.Unavailable, auth.ReasonTimeout, ctx.Err())
		}
		return nil, auth.Fail(auth.Unavailable, auth.ReasonStore, errLate)
	}
}

var errLate = errors.New("the lookup took too long")

// fly looks up, within the time that all who ask have.
func (r *Resolver) fly(ctx context.Context, q question, k cacheKey, gen uint64, patience time.Duration) (result any, err error) {
	// A panic in a flight's goroutine would end the process.
	defer func() {
		if p := recover(); p != nil {
			result, err = nil, auth.Panicked(p)
		}
	}()
	// The lookup serves others too: it neither ends with this caller nor goes
	// at its expense.
	ctx, cancel := context.WithTimeout(store.WithoutBudget(context.WithoutCancel(ctx)), patience)
	defer cancel()
	v, tags, err := r.lookup(ctx, q)
	if err != nil {
		return nil, err
	}
	r.cache.put(k, v, tags, gen)
	return v, nil
}

func landed(res singleflight.Result) (*Verdict, error) {
	if res.Err != nil {
		return nil, res.Err
	}
	return res.Val.(*Verdict), nil
}

// Stats are counters since the start; Entries is how many verdicts are held.
type Stats struct {
	Hits, Misses uint64
	Entries      int64
}

// Stats returns the counters.
func (r *Resolver) Stats() Stats {
	return Stats{Hits: r.hits.Load(), Misses: r.misses.Load(), Entries: r.cache.entries.Load()}
}
