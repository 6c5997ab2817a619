package storetest

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Backend is a store under test.
type Backend struct {
	// Open opens what dir keeps; a new dir is an empty store. It fails the
	// test where it cannot. The suite closes what it opened.
	Open func(t *testing.T, now func() time.Time, dir string) store.Store
	// Volatile says that the store forgets everything when it is closed: the
	// clauses that open it again are left out.
	Volatile bool
	// Shared says that one dir can be open more than once, as where two
	// processes have it.
	Shared bool
}

// Run holds a backend to the whole contract.
func Run(t *testing.T, b Backend) {
	for _, suite := range []struct {
		name string
		run  func(*testing.T, Backend)
	}{
		{"accounts", Accounts},
		{"memberships", Memberships},
		{"tenants", Tenants},
		{"units", Units},
		{"identities", Identities},
		{"identifiers", Identifiers},
		{"keys", Keys},
		{"sessions", Sessions},
		{"session queries", SessionQueries},
		{"signing keys", SigningKeys},
		{"changes", Changes},
		{"cascades", Cascades},
		{"sealed sessions", SealedSessions},
		{"sealed keys", SealedKeys},
		{"whole store", Whole},
	} {
		t.Run(suite.name, func(t *testing.T) { suite.run(t, b) })
	}
	if b.Shared {
		t.Run("shared", func(t *testing.T) { Shared(t, b) })
	}
}

// clause is one duty; its name is the sentence that states it.
type clause struct {
	name  string
	check func(t *testing.T, f *fixture)
}

// hold checks each clause against a store of its own.
func (b Backend) hold(t *testing.T, clauses []clause) {
	t.Helper()
	for _, c := range clauses {
		t.Run(c.name, func(t *testing.T) { c.check(t, open(t, b)) })
	}
}

// fixture is an open store with the clock that it reads.
type fixture struct {
	store.Store
	backend Backend
	clock   *clock
	dir     string
}

func open(t *testing.T, b Backend) *fixture {
	t.Helper()
	f := &fixture{backend: b, clock: newClock(), dir: t.TempDir()}
	f.Store = b.Open(t, f.clock.Now, f.dir)
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

// reopen closes the store and opens it again on the same directory. A store
// that forgets is left open.
func (f *fixture) reopen(t *testing.T) {
	t.Helper()
	if f.backend.Volatile {
		return
	}
	ok(t, f.Close())
	f.Store = f.backend.Open(t, f.clock.Now, f.dir)
}
