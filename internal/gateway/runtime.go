package gateway

import (
	"cmp"
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// RuntimeConfig is what a [Runtime] stands on.
type RuntimeConfig struct {
	Store store.Store
	Ring  *token.Ring
	Now   func() time.Time
	// MaxStaleness is how long verdicts are trusted while the change feed is
	// silent; 0 is the default of package authn.
	MaxStaleness time.Duration
	// Grace is how much longer they count while the store is out of reach.
	Grace time.Duration
	// LookupTimeout is as package authn has it; 0 is its default.
	LookupTimeout time.Duration
	// StoreTime is how long a login, a revocation or another call of a dialect
	// waits for the store in all, however often it asks; 0 is the default.
	StoreTime time.Duration
	// KeyLifetime is as [Runtime.SetKeyLifetime] takes it.
	KeyLifetime time.Duration
	Hashing     password.Options
	// Client asks outside issuers for their keys; nil is one that takes what
	// the operating system trusts.
	Client *http.Client
	// Failed is told of work in the background that nobody waits for and that
	// failed, for operators; it is tried again later. nil tells nobody. The
	// error holds no secret.
	Failed func(work string, err error)
	// Turned is told once that the store, or with [Sessions] what keeps them
	// apart, is out of reach, and why, and once, with nil, that it is back. nil
	// tells nobody. The error holds no secret.
	Turned func(of Part, lost error)
}

// Part is a part of a store that can be out of reach by itself.
type Part string

// The parts, named as health names their feeds.
const (
	Rows     Part = "store"
	Sessions Part = "sessions"
)

// Parts are in the order of [store.Store.Feeds].
var Parts = [...]Part{Rows, Sessions}

// DefaultStoreTime is what one write may take, and leaves enough of a second for
// the rest of a login.
const DefaultStoreTime = 750 * time.Millisecond

// Runtime is what survives a change of the configuration.
type Runtime struct {
	Store    store.Store
	Resolver *authn.Resolver
	Hasher   *password.Hasher
	Attempts *throttle.Attempts
	Rates    *throttle.Rate
	Signers  *token.Signers
	Issuers  *issuer.Pool
	Ring     *token.Ring
	Now      func() time.Time
	cancel   func()
	done     sync.WaitGroup
	// storeTime is as in [RuntimeConfig].
	storeTime time.Duration
	// keyLifetime is a time.Duration; tended is when the signing keys were
	// looked after, which only the sweep knows.
	keyLifetime atomic.Int64
	tended      time.Time
	failed      func(work string, err error)
	underway    underway
}

// NewRuntime starts following the store's changes and sweeping it. It owns the
// store from now on.
func NewRuntime(c RuntimeConfig) *Runtime {
	signers := token.NewSigners(c.Store.SigningKeys, c.Ring, c.Now)
	issuers := issuer.NewPool(c.Now, c.Client)
	rt := &Runtime{
		Store:    c.Store,
		Hasher:   password.New(c.Hashing),
		Attempts: throttle.NewAttempts(c.Now, 0),
		Rates:    throttle.NewRate(c.Now, 0),
		Signers:  signers,
		Issuers:  issuers,
		Ring:     c.Ring,
		Now:      c.Now,
		Resolver: authn.New(authn.Config{
			Store: c.Store, Signers: signers, Issuers: issuers, Now: c.Now, MaxStaleness: c.MaxStaleness, Grace: c.Grace,
			LookupTimeout: c.LookupTimeout, Turned: c.turned(),
		}),
		storeTime: cmp.Or(c.StoreTime, DefaultStoreTime),
	}
	if rt.failed = c.Failed; rt.failed == nil {
		rt.failed = func(string, error) {}
	}
	rt.SetKeyLifetime(c.KeyLifetime)
	ctx, cancel := context.WithCancel(context.Background())
	rt.cancel = cancel
	rt.Resolver.Start()
	rt.done.Go(func() { rt.sweep(ctx) })
	return rt
}

func (c RuntimeConfig) turned() func(int, error) {
	if c.Turned == nil {
		return nil
	}
	return func(feed int, lost error) { c.Turned(Parts[feed], lost) }
}

// DefaultKeyLifetime is how long a signing key signs where nothing else is said.
const DefaultKeyLifetime = 90 * 24 * time.Hour

// SetKeyLifetime changes how long a signing key signs before another takes its
// place; 0 is the default, less is for ever.
func (rt *Runtime) SetKeyLifetime(d time.Duration) {
	if d == 0 {
		d = DefaultKeyLifetime
	}
	rt.keyLifetime.Store(int64(max(d, 0)))
}

// KeyLifetime returns how long a signing key signs; 0 is for ever.
func (rt *Runtime) KeyLifetime() time.Duration { return time.Duration(rt.keyLifetime.Load()) }

// Close stops what was started, waits for it and closes the store. It waits for
// requests too, for [drainTime] at most.
func (rt *Runtime) Close() error {
	rt.underway.drain(drainTime)
	rt.cancel()
	rt.done.Wait()
	rt.Resolver.Close()
	rt.Issuers.Close()
	return rt.Store.Close()
}

// The sweep removes few rows at a time, so that it is not seen in the latency
// of logins, and comes back at once while there is more.
const (
	sweepRows = 500
	// sweepAttempts is how many counters of failed logins are looked at in
	// each part, to give memory back while nobody logs in.
	sweepAttempts = 64
	sweepPause    = 20 * time.Millisecond
	sweepInterval = 5 * time.Second
	// keepChanges is how long a node may be gone and still catch up.
	keepChanges = 24 * time.Hour
	// tendInterval is how often the signing keys are looked after: how late a
	// rotation may be, and how long a key stays that verifies nothing any more.
	tendInterval = time.Minute
)

func (rt *Runtime) sweep(ctx context.Context) {
	timer := time.NewTimer(sweepInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		timer.Reset(rt.sweepOnce(ctx))
	}
}

// sweepOnce returns how long to wait before the next. An error of the sweep is
// not told: a store out of reach is seen by everyone else, and rows past their
// time are already absent for readers.
func (rt *Runtime) sweepOnce(ctx context.Context) time.Duration {
	rt.Attempts.Sweep(sweepAttempts)
	rt.tend(ctx)
	rows, err := rt.Store.Sessions.SweepSessions(ctx, sweepRows)
	if err != nil {
		return sweepInterval
	}
	changes, err := rt.trim(ctx)
	if err != nil || (rows < sweepRows && changes < sweepRows) {
		return sweepInterval
	}
	return sweepPause
}

// trim removes old changes from every feed and returns how many.
func (rt *Runtime) trim(ctx context.Context) (all int, err error) {
	for _, f := range rt.Store.Feeds() {
		n, err := f.TrimChanges(ctx, rt.Now().Add(-keepChanges), sweepRows)
		if err != nil {
			return 0, err
		}
		all += n
	}
	return all, nil
}

// tend rotates signing keys that are due and removes those that are over, from
// time to time. What fails is tried again the next time, and told: nothing else
// shows that an old key signs on, or that no key can be opened.
func (rt *Runtime) tend(ctx context.Context) {
	now := rt.Now()
	if since := now.Sub(rt.tended); since >= 0 && since < tendInterval {
		return
	}
	rt.tended = now
	if err := rt.Signers.Tend(ctx, rt.KeyLifetime()); err != nil && ctx.Err() == nil {
		rt.failed("rotating signing keys", err)
	}
}
