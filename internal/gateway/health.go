package gateway

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Condition says in one word how a gateway is.
type Condition string

// The conditions, from the best to the worst.
const (
	// Healthy is a gateway whose store answers and whose feeds are followed.
	Healthy Condition = "ok"
	// Degraded is one whose store or feed is out of reach, in part or for now,
	// and where some callers pass still: those whom it knows, for as long as
	// max_staleness and grace allow, or those with a key where only the sessions
	// are away.
	Degraded Condition = "degraded"
	// Down is one that refuses everybody, for want of its store.
	Down Condition = "down"
)

// Health is how a gateway is.
type Health struct {
	Condition Condition
	// Probe is how long the store took to answer just now, and Err why it did
	// not. Apart says that this is of what keeps the sessions, and that the rest
	// answered.
	Probe time.Duration
	Err   error
	Apart bool
	// Feeds are the feeds of changes: the store's, then that of sessions where
	// they live apart.
	Feeds []authn.FeedState
	// Hashing is how many password checks wait for their turn.
	Hashing int
}

// probeTimeout bounds how long [Runtime.Health] waits for the store.
const probeTimeout = 300 * time.Millisecond

// Health asks the store, for at most probeTimeout, and says how the gateway is.
// keys says that a guard takes keys, as [Site.TakesKeys] has it.
func (rt *Runtime) Health(ctx context.Context, keys bool) Health {
	ctx, cancel := context.WithTimeout(store.WithBudget(ctx, probeTimeout), probeTimeout)
	defer cancel()
	began := time.Now()
	rows, sessions := rt.probe(ctx)
	h := Health{
		Hashing: rt.Hasher.Waiting(), Feeds: rt.Resolver.Feeds(),
		Probe: time.Since(began), Err: cmp.Or(rows, sessions), Apart: rows == nil && sessions != nil,
	}
	healthy := h.Err == nil
	for _, f := range h.Feeds {
		healthy = healthy && f.Heard && !f.Broken
	}
	h.Condition = rt.condition(healthy, h.Err, keys && rows == nil)
	return h
}

// probe asks both parts of the store for something, at once.
func (rt *Runtime) probe(ctx context.Context) (rows, sessions error) {
	feeds := rt.Store.Feeds()
	errs := make([]error, 2)
	var all sync.WaitGroup
	for i, f := range feeds {
		all.Go(func() { _, errs[i] = f.Latest(ctx) })
	}
	all.Wait()
	return errs[0], errs[1]
}

// condition judges. A feed that is broken alone costs no more than the cache;
// keys says that they can be looked up.
func (rt *Runtime) condition(healthy bool, err error, keys bool) Condition {
	switch {
	case healthy:
		return Healthy
	case err == nil || keys || rt.Resolver.Knows():
		return Degraded
	}
	return Down
}

// TakesKeys reports whether the guard takes a credential that rests on no
// session: a key alone. A key that is sent as a Bearer is looked for among the
// tokens first.
func (s *Site) TakesKeys() bool {
	return slices.ContainsFunc(s.specs, func(spec bearer.Spec) bool {
		return spec.Kind == auth.APIKey || spec.Kind == auth.Basic
	})
}
