package store_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// spend makes a call that would take d and returns how long it took.
func spend(ctx context.Context, d time.Duration) time.Duration {
	began := time.Now()
	call, spent := store.Spend(ctx)
	defer spent()
	select {
	case <-call.Done():
	case <-time.After(d):
	}
	return time.Since(began)
}

func TestABudgetBoundsCallsTogetherAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := store.WithBudget(t.Context(), 900*time.Millisecond)
		for i, c := range []struct{ would, takes time.Duration }{
			{400 * time.Millisecond, 400 * time.Millisecond},
			{400 * time.Millisecond, 400 * time.Millisecond},
			{400 * time.Millisecond, 100 * time.Millisecond},
			{400 * time.Millisecond, 0},
		} {
			<-time.After(time.Hour) // what passes between calls does not count
			if took := spend(context.WithoutCancel(ctx), c.would); took != c.takes {
				t.Errorf("call %d takes %v, want %v", i, took, c.takes)
			}
		}
		if left, bounded := store.Budget(ctx); left > 0 || !bounded {
			t.Errorf("%v is left, %v", left, bounded)
		}
		if took := spend(store.WithBudget(ctx, time.Second), time.Minute); took != time.Second {
			t.Errorf("with a new budget a call takes %v", took)
		}
	})
}

func TestWithoutABudgetACallTakesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, ctx := range map[string]context.Context{
			"none was set": t.Context(), "it was taken away": store.WithoutBudget(store.WithBudget(t.Context(), time.Second)),
		} {
			if took := spend(ctx, time.Hour); took != time.Hour {
				t.Errorf("where %s a call takes %v", name, took)
			}
			if _, bounded := store.Budget(ctx); bounded {
				t.Errorf("where %s there is a bound", name)
			}
		}
	})
}
