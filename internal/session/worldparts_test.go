package session_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// eventLog is the part of a world that keeps what was audited.
type eventLog struct {
	mu     sync.Mutex
	events []auth.Event
}

func (l *eventLog) record(_ context.Context, e auth.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.events = append(l.events, e)
}

// count returns how many events of a kind there are that went well or not.
func (l *eventLog) count(kind auth.EventKind, ok bool) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Kind == kind && e.OK == ok {
			n++
		}
	}
	return n
}

// worldBegan is the time of a [worldClock] that was not moved.
var worldBegan = time.Date(2026, 3, 4, 5, 6, 7, 890e6, time.UTC)

// worldClock is the time of a world, which stands still unless it is moved.
type worldClock struct {
	clock atomic.Int64 // nanoseconds since the world began
}

func (c *worldClock) now() time.Time { return worldBegan.Add(time.Duration(c.clock.Load())) }

func (c *worldClock) sleep(d time.Duration) { c.clock.Add(int64(d)) }

// insertKey adds a key of this text and returns its id.
func insertKey(t testing.TB, keys store.Keys, text string, k store.Key) int64 {
	t.Helper()
	k.Realm, k.Digest = realm, auth.DigestOf(text)
	id, err := keys.InsertKey(context.Background(), k)
	must(t, err)
	return id
}
