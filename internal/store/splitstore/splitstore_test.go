package splitstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/redisstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/splitstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/storetest"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// The suites of sessions and of their feed are redisstore's, those of what
// passes through are sqlstore's.
func TestContract(t *testing.T) {
	url := testserver.Redis(t).URL()
	empty := emptyFile(t)
	b := storetest.Backend{Open: func(t *testing.T, now func() time.Time, dir string) store.Store {
		path := filepath.Join(dir, "gatehouse.db")
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			must(t, os.WriteFile(path, empty, 0o600))
		}
		rest, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Options{Now: now})
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(dir))
		apart, err := redisstore.Open(t.Context(), redisstore.Options{
			URL: auth.NewSecret(url), Prefix: hex.EncodeToString(sum[:8]), Now: now, Timeout: 20 * time.Second,
		})
		if err != nil {
			t.Fatal(errors.Join(err, rest.Close()))
		}
		return splitstore.New(rest, apart)
	}}
	for name, suite := range map[string]func(*testing.T, storetest.Backend){
		"accounts": storetest.Accounts, "memberships": storetest.Memberships, "tenants": storetest.Tenants,
		"units": storetest.Units, "keys": storetest.Keys,
		"cascades": storetest.Cascades, "whole store": storetest.Whole,
	} {
		t.Run(name, func(t *testing.T) { suite(t, b) })
	}
}

// emptyFile returns a new store of SQLite: a copy of it is made in a fraction of
// the time.
func emptyFile(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gatehouse.db")
	s, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Options{})
	must(t, err)
	must(t, s.Close())
	text, err := os.ReadFile(path)
	must(t, err)
	return text
}

const realm = "default"

// crashing is a place for sessions whose revocations can be made to fail, as
// where the gateway ends in between.
type crashing struct {
	store.Sessions
	store.Changes
	close   func() error
	crashed bool
}

func (c *crashing) Close() error { return c.close() }

func (c *crashing) RevokeSessions(ctx context.Context, realm string, m store.SessionMatch) (int, error) {
	if c.crashed {
		return 0, auth.Fail(auth.Unavailable, auth.ReasonStore, nil)
	}
	return c.Sessions.RevokeSessions(ctx, realm, m)
}

// open returns a split store, its sessions and a look at whether one is there.
func open(t *testing.T) (store.Store, *crashing, func(store.Session) bool) {
	t.Helper()
	sessions := memstore.New(time.Now)
	apart := &crashing{Sessions: sessions.Sessions, Changes: sessions.Changes, close: sessions.Close}
	s := splitstore.New(memstore.New(time.Now), apart)
	t.Cleanup(func() { must(t, s.Close()) })
	return s, apart, func(row store.Session) bool {
		_, err := s.Sessions.Session(t.Context(), realm, store.SessionRef{ID: row.ID})
		if err != nil && !auth.IsNotFound(err) {
			t.Fatal(err)
		}
		return err == nil
	}
}

func issue(t *testing.T, s store.Store, row store.Session) store.Session {
	t.Helper()
	row.ID, row.Realm = uuid.NewString(), realm
	row.Digest = auth.DigestOf(row.ID)
	row.Expires = time.Now().Add(time.Hour)
	row.Keep = row.Expires
	must(t, s.Sessions.InsertSession(t.Context(), row))
	return row
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func unavailable(t *testing.T, err error) {
	t.Helper()
	if err == nil || auth.CodeOf(err) != auth.Unavailable {
		t.Fatalf("got %v, want unavailable", err)
	}
}

func TestWhatAnInterruptedDeleteLeft(t *testing.T) {
	ann := store.Account{ID: uuid.NewString(), Realm: realm, Username: "ann"}
	acme := store.Tenant{ID: uuid.NewString(), Realm: realm, Name: "acme"}
	member := store.Membership{Realm: realm, Account: ann.ID, Tenant: acme.ID}
	furnish := func(t *testing.T, s store.Store) {
		must(t, s.Accounts.InsertAccount(t.Context(), ann))
		must(t, s.Tenants.InsertTenant(t.Context(), acme))
		must(t, s.Memberships.PutMembership(t.Context(), member))
	}
	for _, c := range []struct {
		name         string
		remove, back func(context.Context, store.Store) error
	}{
		{
			"an account that comes back has no session of before",
			func(ctx context.Context, s store.Store) error { return s.Accounts.DeleteAccount(ctx, realm, ann.ID) },
			func(ctx context.Context, s store.Store) error { return s.Accounts.InsertAccount(ctx, ann) },
		},
		{
			"a tenant that comes back has no session of before",
			func(ctx context.Context, s store.Store) error { return s.Tenants.DeleteTenant(ctx, realm, acme.ID) },
			func(ctx context.Context, s store.Store) error { return s.Tenants.InsertTenant(ctx, acme) },
		},
		{
			"a member that comes back has no session of before",
			func(ctx context.Context, s store.Store) error {
				return s.Memberships.DeleteMembership(ctx, realm, ann.ID, acme.ID)
			},
			func(ctx context.Context, s store.Store) error { return s.Memberships.PutMembership(ctx, member) },
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, apart, has := open(t)
			furnish(t, s)
			row := issue(t, s, store.Session{Subject: ann.ID, Tenant: acme.ID})
			apart.crashed = true
			unavailable(t, c.remove(t.Context(), s))
			if !has(row) {
				t.Fatal("the session went although its revocation failed")
			}
			unavailable(t, c.back(t.Context(), s)) // not before the session is gone
			apart.crashed = false
			must(t, c.back(t.Context(), s))
			if has(row) {
				t.Fatal("a session of before is there again")
			}
		})
	}
}

func TestDeletesThatDoNotHappen(t *testing.T) {
	t.Run("a unit stays while its sessions cannot be removed", func(t *testing.T) {
		s, apart, has := open(t)
		acme := store.Tenant{ID: uuid.NewString(), Realm: realm, Name: "acme"}
		must(t, s.Tenants.InsertTenant(t.Context(), acme))
		north := store.Unit{ID: "0123456789ABCDEF0123456789ABCDEF", Realm: realm, Tenant: acme.ID, Name: "north"}
		must(t, s.Units.InsertUnit(t.Context(), north))
		row := issue(t, s, store.Session{Subject: "ann", Tenant: acme.ID, Unit: north.ID})
		apart.crashed = true
		unavailable(t, s.Units.DeleteUnit(t.Context(), realm, acme.ID, north.ID))
		_, err := s.Units.Unit(t.Context(), realm, acme.ID, north.ID)
		must(t, err)
		apart.crashed = false
		must(t, s.Units.DeleteUnit(t.Context(), realm, acme.ID, north.ID))
		if has(row) {
			t.Fatal("the session outlives its unit")
		}
	})
	t.Run("an account whose id is taken leaves the sessions of the one that has it", func(t *testing.T) {
		s, _, has := open(t)
		ann := store.Account{ID: uuid.NewString(), Realm: realm, Username: "ann"}
		must(t, s.Accounts.InsertAccount(t.Context(), ann))
		row := issue(t, s, store.Session{Subject: ann.ID})
		if err := s.Accounts.InsertAccount(t.Context(), ann); err == nil || auth.CodeOf(err) != auth.Conflict {
			t.Fatalf("got %v, want a conflict", err)
		}
		if !has(row) {
			t.Fatal("a refused insert ended a session")
		}
	})
	t.Run("a member that is put again keeps its sessions", func(t *testing.T) {
		s, _, has := open(t)
		ann := store.Account{ID: uuid.NewString(), Realm: realm, Username: "ann"}
		acme := store.Tenant{ID: uuid.NewString(), Realm: realm, Name: "acme"}
		member := store.Membership{Realm: realm, Account: ann.ID, Tenant: acme.ID}
		must(t, s.Accounts.InsertAccount(t.Context(), ann))
		must(t, s.Tenants.InsertTenant(t.Context(), acme))
		must(t, s.Memberships.PutMembership(t.Context(), member))
		row := issue(t, s, store.Session{Subject: ann.ID, Tenant: acme.ID})
		member.Roles = []string{"admin"}
		must(t, s.Memberships.PutMembership(t.Context(), member))
		if !has(row) {
			t.Fatal("another role ended a session")
		}
	})
}
