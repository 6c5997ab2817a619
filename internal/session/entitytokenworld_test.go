package session_test

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// The people of the entity tests: ann and dora belong to Acme Ltd and Beta,
// eve is admin of Acme Ltd by her membership there and a plain member of Beta,
// root has the role admin everywhere and belongs to Acme Ltd, carol belongs to
// nothing and bob, who belongs to Acme Ltd, is disabled.
const (
	doraID = "1d3a4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a44"
	eveID  = "2e3a4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a55"
	rootID = "3f3a4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a66"

	acmeID = "aaaa4bd8-8f0a-4d8e-9f5e-1d0c6a3d1b11"
	betaID = "bbbb4bd8-8f0a-4d8e-9f5e-1d0c6a3d1b22"

	acmeKey    = "api_planted0key0of0acme0"
	betaKey    = "api_planted0key0of0beta0"
	gatewayKey = "api_planted0key0gateway0"
	ownKey     = "api_planted0key0own0ann0"

	userTTL = 48 * time.Hour
)

func userToken(name string) string { return "planted-user-token-of-" + name }

// entityWorld is a store with people, entities and keys, at a time of its own.
type entityWorld struct {
	store.Store
	t    testing.TB
	ctx  context.Context
	dir  string
	deps session.Deps
	*session.Service

	eventLog
	worldClock
}

// onEachStore runs a test on every store that stands here.
func onEachStore(t *testing.T, cfg session.Config, test func(*testing.T, *entityWorld)) {
	t.Run("in memory", func(t *testing.T) {
		test(t, newEntityWorld(t, cfg, inMemoryStore))
	})
	t.Run("in SQLite", func(t *testing.T) {
		test(t, newEntityWorld(t, cfg, func(w *entityWorld) store.Store {
			s, err := sqlstore.OpenSQLite(context.Background(), filepath.Join(w.dir, "gatehouse.db"), sqlstore.Options{Now: w.now})
			must(w.t, err)
			w.t.(*testing.T).Cleanup(func() { must(w.t, s.Close()) })
			return s
		}))
	})
}

func inMemoryStore(w *entityWorld) store.Store { return memstore.New(w.now) }

// inMemory returns a world for a test that one store is enough for.
func inMemory(t *testing.T) *entityWorld {
	return newEntityWorld(t, session.Config{}, inMemoryStore)
}

func newEntityWorld(t *testing.T, cfg session.Config, open func(*entityWorld) store.Store) *entityWorld {
	t.Helper()
	w := &entityWorld{t: t, dir: t.TempDir()}
	w.ctx = session.WithAddress(context.Background(), netip.MustParseAddr("192.0.2.1"))
	w.Store = open(w)
	w.deps = session.Deps{Store: w.Store, Ring: ring(t), Now: w.now, Audit: w.record}
	w.deps.Resolver = authn.New(authn.Config{Store: w.Store, Now: w.now})
	w.Service = w.service(cfg)
	w.populate()
	return w
}

func (w *entityWorld) service(cfg session.Config) *session.Service {
	if cfg.Realm == "" {
		cfg.Realm = realm
	}
	cfg.Dialect, cfg.TTL, cfg.MaxTTL = "entity_token", 48*time.Hour, 365*24*time.Hour
	return session.New(&w.deps, cfg)
}

func (w *entityWorld) populate() {
	must(w.t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: acmeID, Realm: realm, Name: "Acme Ltd"}))
	must(w.t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: betaID, Realm: realm, Name: "Beta"}))
	for _, a := range []store.Account{
		{ID: annID, Username: "Ann", Email: "ann@example.com"},
		{ID: doraID, Username: "dora"},
		{ID: eveID, Username: "eve"},
		{ID: carolID, Username: "carol"},
		{ID: rootID, Username: "root", Roles: []string{"admin"}},
		{ID: bobID, Username: "bob", Disabled: true},
	} {
		a.Realm = realm
		must(w.t, w.Accounts.InsertAccount(w.ctx, a))
		w.addToken(userToken(a.Username), store.Session{ID: "of-" + a.Username, Subject: a.ID})
	}
	for _, m := range []store.Membership{
		{Account: annID, Tenant: acmeID},
		{Account: annID, Tenant: betaID},
		{Account: doraID, Tenant: acmeID},
		{Account: doraID, Tenant: betaID},
		{Account: eveID, Tenant: acmeID, Roles: []string{"admin"}},
		{Account: eveID, Tenant: betaID, Roles: []string{"reader"}},
		{Account: rootID, Tenant: acmeID},
		{Account: bobID, Tenant: acmeID},
	} {
		m.Realm = realm
		must(w.t, w.Memberships.PutMembership(w.ctx, m))
	}
	w.addKey(acmeKey, store.Key{Tenant: acmeID})
	w.addKey(betaKey, store.Key{Tenant: betaID})
	w.addKey(gatewayKey, store.Key{Gateway: true})
	w.addKey(ownKey, store.Key{Account: annID})
}

func (w *entityWorld) addKey(text string, k store.Key) int64 {
	w.t.Helper()
	return insertKey(w.t, w.Keys, text, k)
}

func (w *entityWorld) addToken(text string, row store.Session) {
	w.t.Helper()
	now := store.Precise(w.now())
	row.Realm, row.Digest, row.Issued, row.Updated = realm, auth.DigestOf(text), now, now
	if row.Kind == "" {
		row.Kind = store.AccessToken
	}
	row.Expires = now.Add(userTTL)
	row.Keep = row.Expires.Add(time.Hour)
	must(w.t, w.Sessions.InsertSession(w.ctx, row))
}

// headers is what a caller presents.
func headers(key, user string) bearer.Credential {
	return bearer.Credential{Kind: auth.KeyUserToken, Key: key, User: user, Token: userToken(user)}
}

// place is that of ann in Acme Ltd, for tests that ask for it as such.
var place = session.Place{Tenant: acmeID, Account: annID}

// create makes the token of a place.
func (w *entityWorld) create(p session.Place) session.EntityToken {
	w.t.Helper()
	made, err := w.CreateEntityToken(w.ctx, p)
	must(w.t, err)
	return made
}

// proxied returns who presents an entity token on a proxied call.
func (w *entityWorld) proxied(key string, text auth.Secret) (*auth.Principal, error) {
	v, err := w.deps.Resolver.Resolve(w.ctx, realm, bearer.Credential{Kind: auth.KeyUserToken, Key: key, Entity: text.Reveal()})
	if err != nil {
		return nil, err
	}
	return v.Principal, nil
}

// wantGood fails the test unless a token is good on proxied calls.
func (w *entityWorld) wantGood(text auth.Secret) {
	w.t.Helper()
	p, err := w.proxied(acmeKey, text)
	must(w.t, err)
	if p.Subject != annID || p.Tenant != acmeID || p.TenantName != "Acme Ltd" || p.Dialect != "entity_token" {
		w.t.Errorf("the token is one of %+v", p)
	}
}

// wantDead fails the test unless a token is refused on proxied calls, as one
// that never was.
func (w *entityWorld) wantDead(text auth.Secret) {
	w.t.Helper()
	_, err := w.proxied(acmeKey, text)
	wantRefusal(w.t, err, auth.InvalidCredential, auth.ReasonUnknown)
}

func (w *entityWorld) wantNone(p session.Place) {
	w.t.Helper()
	_, err := w.EntityToken(w.ctx, p)
	if !auth.IsNotFound(err) {
		w.t.Fatalf("got %v, want no token", err)
	}
}

// rows lists all sessions of entity tokens.
func (w *entityWorld) rows() []store.Session {
	w.t.Helper()
	rows, _, err := w.Sessions.FindSessions(w.ctx, realm, store.SessionQuery{Where: store.Filter{
		Field: store.FieldKind, Op: store.Equal, Values: []any{string(store.EntityToken)},
	}})
	must(w.t, err)
	return rows
}

// onDisk reports whether a file of the store holds text.
func (w *entityWorld) onDisk(text []byte) bool {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "*"))
	must(w.t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(w.t, err)
		if bytes.Contains(b, text) {
			return true
		}
	}
	return false
}

// atOnce makes n calls at the same time and returns how each ended.
func atOnce(n int, call func(i int) error) []error {
	errs, start := make([]error, n), make(chan struct{})
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	all.Wait()
	return errs
}

// gathered is a store whose first n look-ups of a session all end before one
// of them is answered.
type gathered struct {
	store.Sessions
	left atomic.Int64
	all  chan struct{}
}

func gather(rows store.Sessions, n int64) *gathered {
	g := &gathered{Sessions: rows, all: make(chan struct{})}
	g.left.Store(n)
	return g
}

func (g *gathered) Session(ctx context.Context, realm string, by store.SessionRef) (store.Session, error) {
	row, err := g.Sessions.Session(ctx, realm, by)
	switch left := g.left.Add(-1); {
	case left == 0:
		close(g.all)
	case left > 0:
		<-g.all
	}
	return row, err
}
