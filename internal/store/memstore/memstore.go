// Package memstore keeps everything in memory and forgets it when it is
// closed: the store of tests, and the plainest reading of the contract in
// storetest.
//
// One lock guards all of it. A write checks everything before it changes
// anything, so a refused one leaves no trace, and what withdraws something is
// entered in the change feed under the same lock. Subscribers are called
// outside it, in the order of the feed, before the write returns.
package memstore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// New returns an empty store that tells the time by now.
func New(now func() time.Time) store.Store {
	m := &memory{
		now:     now,
		realms:  map[string]*realm{},
		signing: map[string]store.SigningKey{},
		feed:    feed{more: make(chan struct{})},
		done:    make(chan struct{}),
	}
	return store.Store{
		Accounts: m, Memberships: m, Tenants: m, Units: m, Identities: m, Identifiers: m, Keys: m,
		Sessions: m, SigningKeys: m, Changes: m, Close: m.close,
	}
}

// memory implements every interface of package store.
type memory struct {
	now func() time.Time

	mu      sync.Mutex
	closed  bool
	realms  map[string]*realm
	signing map[string]store.SigningKey
	// lastKey is the id given to the newest API key of any realm; it never
	// goes back, since sessions and changes name keys by it.
	lastKey int64
	feed

	// delivery is held while subscribers are called, so that they see the
	// changes in order. It is taken before mu.
	delivery sync.Mutex
	done     chan struct{}
}

// realm is what one realm keeps.
type realm struct {
	accounts map[string]store.Account
	// accountNames leads from each folded name to the account's id.
	accountNames map[string]string
	memberships  map[membershipID]store.Membership
	tenants      map[string]store.Tenant
	tenantNames  map[string]string
	units        map[string]store.Unit
	identities   map[string]store.Identity
	identifiers  map[string]store.Identifier
	// identifierNames and identifierCodes lead to an identifier's id.
	identifierNames map[string]string
	identifierCodes map[auth.Digest]string
	keys            map[int64]store.Key
	keyDigests      map[auth.Digest]int64
	sessions        map[string]store.Session
	digests         map[auth.Digest]string
	slots           map[string]string
}

func newRealm() *realm {
	return &realm{
		accounts:        map[string]store.Account{},
		accountNames:    map[string]string{},
		memberships:     map[membershipID]store.Membership{},
		tenants:         map[string]store.Tenant{},
		tenantNames:     map[string]string{},
		units:           map[string]store.Unit{},
		identities:      map[string]store.Identity{},
		identifiers:     map[string]store.Identifier{},
		identifierNames: map[string]string{},
		identifierCodes: map[auth.Digest]string{},
		keys:            map[int64]store.Key{},
		keyDigests:      map[auth.Digest]int64{},
		sessions:        map[string]store.Session{},
		digests:         map[auth.Digest]string{},
		slots:           map[string]string{},
	}
}

// realm returns the realm of that name, an empty one where nothing is kept.
func (m *memory) realm(name string) *realm {
	r := m.realms[name]
	if r == nil {
		r = newRealm()
		m.realms[name] = r
	}
	return r
}

var errClosed = errors.New("the store is closed")

// begin takes the lock, unless ctx has ended or the store is closed. The
// caller unlocks.
func (m *memory) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return auth.Fail(auth.Unavailable, auth.ReasonTimeout, err)
	}
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return auth.Fail(auth.Unavailable, auth.ReasonStore, errClosed)
	}
	return nil
}

// locked runs fn under the lock; what fn changes is no news to a cache.
func (m *memory) locked(ctx context.Context, fn func() error) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	return fn()
}

// write runs fn under the lock, enters the changes that it returns and calls
// the subscribers. fn must have changed nothing where it returns an error.
func (m *memory) write(ctx context.Context, fn func() ([]store.Change, error)) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	changes, err := fn()
	if err == nil {
		m.enter(store.Precise(m.now()), changes)
	}
	m.mu.Unlock()
	if len(changes) > 0 {
		m.deliver()
	}
	return err
}

func (m *memory) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.closed {
		m.closed = true
		close(m.done)
	}
	return nil
}

func notFound() error { return auth.Fail(auth.NotFound, "", nil) }

func conflict() error { return auth.Fail(auth.Conflict, "", nil) }

func malformed() error { return auth.Fail(auth.Malformed, auth.ReasonForm, nil) }

// later returns what a stamp makes of the instant that is kept.
func later(kept, stamp store.Time) store.Time {
	if stamp = store.Precise(stamp); stamp.After(kept) {
		return stamp
	}
	return kept
}

// cut returns the part of rows that page asks for.
func cut[T any](rows []T, page store.Page) ([]T, error) {
	page, err := page.Bounds()
	if err != nil {
		return nil, err
	}
	rows = rows[min(page.Offset, len(rows)):]
	return rows[:min(page.Limit, len(rows))], nil
}
