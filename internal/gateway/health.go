package gateway

import (
	"context"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Condition says in one word how a gateway is.
type Condition string

// The conditions, from the best to the worst.
const (
	// Healthy is a gateway whose store answers and whose feeds are followed.
	Healthy Condition = "ok"
	// Degraded is one whose store or feed is out of reach and which goes by
	// what it knows, for as long as max_staleness and grace allow.
	Degraded Condition = "degraded"
	// Down is one that refuses everybody, for want of its store.
	Down Condition = "down"
)

// Health is how a gateway is.
type Health struct {
	Condition Condition
	// Probe is how long the store took to answer just now, and Err why it did
	// not.
	Probe time.Duration
	Err   error
	// Feeds are the feeds of changes: the store's, then that of sessions where
	// they live apart.
	Feeds []authn.FeedState
	// Hashing is how many password checks wait for their turn.
	Hashing int
}

// probeTimeout bounds how long [Runtime.Health] waits for the store.
const probeTimeout = 300 * time.Millisecond

// Health asks the store, for at most probeTimeout, and says how the gateway is.
func (rt *Runtime) Health(ctx context.Context) Health {
	ctx, cancel := context.WithTimeout(store.WithBudget(ctx, probeTimeout), probeTimeout)
	defer cancel()
	began := time.Now()
	h := Health{Hashing: rt.Hasher.Waiting(), Feeds: rt.Resolver.Feeds(), Err: rt.probe(ctx)}
	h.Probe = time.Since(began)
	healthy := h.Err == nil
	for _, f := range h.Feeds {
		healthy = healthy && f.Heard && !f.Broken
	}
	h.Condition = rt.condition(healthy, h.Err)
	return h
}

// probe asks every part of the store for something.
func (rt *Runtime) probe(ctx context.Context) error {
	for _, f := range rt.Store.Feeds() {
		if _, err := f.Latest(ctx); err != nil {
			return err
		}
	}
	return nil
}

// condition judges. A feed that is broken alone costs no more than the cache.
func (rt *Runtime) condition(healthy bool, err error) Condition {
	switch {
	case healthy:
		return Healthy
	case err == nil || rt.Resolver.Knows():
		return Degraded
	}
	return Down
}
