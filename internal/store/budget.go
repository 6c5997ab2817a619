package store

import (
	"context"
	"sync"
	"time"
)

// A request may make several calls, each of which waits for as long as a store
// lets it: no single timeout bounds the sum. A budget does, without counting
// what passes between the calls, e.g. while a password is hashed.

// budget is what is left of the time that calls may take.
type budget struct {
	mu   sync.Mutex
	left time.Duration
}

type budgetKey struct{}

// WithBudget returns a context whose calls of a store take no longer than d
// together; one that is not done by then is [auth.Unavailable]. It takes the
// place of a budget that ctx has, and [context.WithoutCancel] leaves it. Who
// only reads on, page by page, is not bound by it.
func WithBudget(ctx context.Context, d time.Duration) context.Context {
	return context.WithValue(ctx, budgetKey{}, &budget{left: d})
}

// WithoutBudget returns a context whose calls take as long as the store allows
// each: for what goes on for more than the request that began it.
func WithoutBudget(ctx context.Context) context.Context {
	if budgetOf(ctx) == nil {
		return ctx
	}
	return context.WithValue(ctx, budgetKey{}, (*budget)(nil))
}

func budgetOf(ctx context.Context) *budget {
	b, _ := ctx.Value(budgetKey{}).(*budget)
	return b
}

// Spend is for stores: it returns a context for one call, which ends when the
// budget is used up, and what to call once the call is over.
func Spend(ctx context.Context) (call context.Context, spent func()) {
	b := budgetOf(ctx)
	if b == nil {
		return ctx, func() {}
	}
	began := time.Now()
	call, cancel := context.WithDeadline(ctx, began.Add(b.remaining()))
	return call, func() {
		cancel()
		b.take(time.Since(began))
	}
}

// Budget returns how much of the time is left, and false where it has no bound.
func Budget(ctx context.Context) (left time.Duration, bounded bool) {
	b := budgetOf(ctx)
	if b == nil {
		return 0, false
	}
	return b.remaining(), true
}

func (b *budget) remaining() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.left
}

func (b *budget) take(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left -= d
}
