package sqlstore

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// TestADiskThatDoesNotAnswerIsNotWaitedFor has reads of a file hang for as long
// as the test lasts, in all turns that there are and behind them.
func TestADiskThatDoesNotAnswerIsNotWaitedFor(t *testing.T) {
	d := openAt(t, filepath.Join(t.TempDir(), "gatehouse.db"), Options{Wait: 20 * time.Millisecond})
	e := d.engine.(*file)
	mended := make(chan struct{})
	hang := func(ctx context.Context) error {
		return d.flavour.failure(e.first(ctx, "SELECT 1", nil, func(scanner) error {
			<-mended
			return nil
		}))
	}
	within := func() context.Context { return store.WithBudget(t.Context(), time.Minute) }
	for i := range cap(e.reading) + 2 {
		if err := hang(within()); auth.CodeOf(err) != auth.Unavailable {
			t.Fatalf("read %d: %v", i, err)
		}
	}
	if n := len(e.reading); n != cap(e.reading) {
		t.Errorf("%d turns are taken, want all %d", n, cap(e.reading))
	}
	_, err := d.Account(within(), "default", "ann")
	if auth.CodeOf(err) != auth.Unavailable {
		t.Errorf("a look-up is answered %v", err)
	}
	spent := store.WithBudget(t.Context(), 0)
	if _, err := d.Account(spent, "default", "ann"); auth.CodeOf(err) != auth.Unavailable {
		t.Errorf("a look-up for which no time is left is answered %v", err)
	}
	close(mended)
	if _, err := d.Account(t.Context(), "default", "ann"); !auth.IsNotFound(err) {
		t.Errorf("afterwards a look-up is answered %v", err)
	}
}

func TestAPanicOnTheWayIsAnErrorAndNotTheEnd(t *testing.T) {
	if err := contained(func() error { panic("planted") }); auth.CodeOf(err) != auth.Internal {
		t.Errorf("it is answered %v", err)
	}
}
