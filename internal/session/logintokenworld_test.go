package session_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// The people of the login token tests beside ann and bob, who is disabled.
const (
	zoeID  = "1f3a4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a77"
	chefID = "2f3a4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a88" // has the role admin

	annReadKey = "api_planted0key0read0ann"
	strayKey   = "api_planted0key0stray000" // of the gateway, no account's
)

// linkWorld is a store with people and keys, at a time of its own, and the
// service of a login_token block over it.
type linkWorld struct {
	store.Store
	*session.Service
	t      *testing.T
	ctx    context.Context
	deps   session.Deps
	hasher *countingHasher
	keyIDs map[string]int64

	eventLog
	worldClock
}

// linkConfig is what the dialect makes of its defaults.
var linkConfig = session.Config{
	Realm: realm, Dialect: "login_token", JWT: true, Identity: true, WholeSeconds: true,
	TTL: 30 * 24 * time.Hour, LoginTokenTTL: 10 * time.Minute, MaxTTL: 24 * time.Hour,
}

// withLinks runs a test on every store that stands here.
func withLinks(t *testing.T, test func(*testing.T, *linkWorld)) {
	t.Helper()
	t.Run("in memory", func(t *testing.T) {
		w := &linkWorld{t: t}
		w.open(memstore.New(w.now))
		test(t, w)
	})
	t.Run("in SQLite", func(t *testing.T) {
		w := &linkWorld{t: t}
		s, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(t.TempDir(), "gatehouse.db"), sqlstore.Options{Now: w.now})
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		w.open(s)
		test(t, w)
	})
}

func (w *linkWorld) open(s store.Store) {
	w.Store = s
	w.ctx = session.WithAddress(context.Background(), netip.MustParseAddr("192.0.2.1"))
	w.hasher = &countingHasher{Hasher: password.New(cost)}
	ring := ring(w.t)
	w.deps = session.Deps{
		Store: s, Hasher: w.hasher, Attempts: throttle.NewAttempts(w.now, 0), Ring: ring,
		Signers: token.NewSigners(s.SigningKeys, ring, w.now), Now: w.now, Audit: w.record,
	}
	w.deps.Resolver = authn.New(authn.Config{Store: s, Signers: w.deps.Signers, Now: w.now})
	w.Service = session.New(&w.deps, linkConfig)
	hash, err := w.hasher.Hasher.Make(w.ctx, auth.NewSecret(right))
	must(w.t, err)
	for _, a := range []store.Account{
		{ID: annID, Username: "Ann", Email: "Ann@Example.com", Password: hash, Roles: []string{"user"}},
		{ID: bobID, Username: "bob", Password: hash, Disabled: true},
		{ID: zoeID, Username: "zoe", Password: hash},
		{ID: chefID, Username: "chef", Password: hash, Roles: []string{"admin"}},
	} {
		a.Realm = realm
		must(w.t, s.Accounts.InsertAccount(w.ctx, a))
	}
	w.keyIDs = map[string]int64{}
	w.addKey(annKey, store.Key{Account: annID, Permissions: auth.AllPermissions})
	w.addKey(annReadKey, store.Key{Account: annID, Permissions: auth.Read})
	w.addKey(strayKey, store.Key{Gateway: true, Permissions: auth.AllPermissions})
}

func (w *linkWorld) addKey(text string, k store.Key) {
	w.t.Helper()
	w.keyIDs[text] = insertKey(w.t, w.Keys, text, k)
}

// as returns the caller that a login by password makes.
func (w *linkWorld) as(name string) *auth.Principal {
	w.t.Helper()
	issued, err := w.LoginPassword(w.ctx, name, auth.NewSecret(right))
	must(w.t, err)
	return w.caller(issued)
}

func (w *linkWorld) caller(issued session.Issued) *auth.Principal {
	w.t.Helper()
	p, err := w.Resolve(w.ctx, bearerOf(issued.Token))
	must(w.t, err)
	return p
}

// with returns the caller that a key makes.
func (w *linkWorld) with(key string) *auth.Principal {
	w.t.Helper()
	p, err := w.Resolve(w.ctx, bearer.Credential{Kind: auth.APIKey, Key: key})
	must(w.t, err)
	return p
}

// link makes a login token, for who may associate it with an account.
func (w *linkWorld) link(p *auth.Principal, associate ...string) session.LoginToken {
	w.t.Helper()
	if len(associate) == 0 {
		associate = []string{""}
	}
	made, err := w.CreateLoginTokens(w.ctx, p, associate...)
	must(w.t, err)
	return made[0]
}

// links returns the ids of the login tokens that p is shown, in order of id.
func (w *linkWorld) links(p *auth.Principal) []string {
	w.t.Helper()
	found, total, err := w.LoginTokens(w.ctx, p, session.Query{})
	must(w.t, err)
	if total != len(found) {
		w.t.Fatalf("%d of %d", len(found), total)
	}
	ids := []string{}
	for _, l := range found {
		ids = append(ids, l.ID)
	}
	return ids
}

func (w *linkWorld) changeAccount(id string, change func(*store.Account)) {
	w.t.Helper()
	a, err := w.Accounts.Account(w.ctx, realm, id)
	must(w.t, err)
	change(&a)
	must(w.t, w.Accounts.UpdateAccount(w.ctx, a))
}

// redeem trades a login token by its id.
func (w *linkWorld) redeem(l session.LoginToken) (session.Issued, error) {
	return w.Redeem(w.ctx, l.ID, l.Token, false)
}
