package session_test

import (
	"context"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
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
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	clientSecret  = "planted-client-secret-of-ann"
	clientSecret2 = "planted-client-secret-2-of-ann"
	bobSecret     = "planted-client-secret-of-bob"
	tenantSecret  = "planted-client-secret-of-acme"
	clientTenant  = "t-acme"
)

// usual is an oauth2 block.
var usual = session.Config{TTL: time.Hour, RefreshTTL: 30 * 24 * time.Hour}

// clientWorld is a store with ann (of tenant Acme, with two keys), bob and a
// key of the tenant alone, and an oauth2 block over it. Its clock stands still
// unless it is moved.
type clientWorld struct {
	store.Store
	*session.Service
	t     *testing.T
	ctx   context.Context
	clock atomic.Int64
	deps  session.Deps
	rows  *watchedSessions
	// looked counts look-ups of keys by id and of accounts.
	lookedKeys, lookedAccounts atomic.Int64
	// noAccounts hides all accounts.
	noAccounts atomic.Bool

	annClient, annClient2, bobClient, tenantClient string

	eventLog
}

func newClientWorld(t *testing.T, cfg session.Config) *clientWorld {
	return openClientWorld(t, cfg, func(w *clientWorld) store.Store { return memstore.New(w.now) })
}

// forEachStore runs a test on every store that stands here.
func forEachStore(t *testing.T, cfg session.Config, test func(*testing.T, *clientWorld)) {
	t.Run("in memory", func(t *testing.T) { test(t, newClientWorld(t, cfg)) })
	t.Run("in SQLite", func(t *testing.T) {
		test(t, openClientWorld(t, cfg, func(w *clientWorld) store.Store {
			return openSQLite(t, filepath.Join(t.TempDir(), "gatehouse.db"), w.now)
		}))
	})
}

func openSQLite(t *testing.T, path string, now func() time.Time) store.Store {
	s, err := sqlstore.OpenSQLite(context.Background(), path, sqlstore.Options{Now: now})
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func openClientWorld(t *testing.T, cfg session.Config, open func(*clientWorld) store.Store) *clientWorld {
	t.Helper()
	w := &clientWorld{t: t, ctx: session.WithAddress(context.Background(), netip.MustParseAddr("192.0.2.1"))}
	w.Store = open(w)
	w.rows = &watchedSessions{Sessions: w.Sessions}
	w.Sessions = w.rows
	w.Keys, w.Accounts = countedKeys{w.Keys, w}, countedAccounts{w.Accounts, w}
	w.deps = session.Deps{
		Store: w.Store, Attempts: throttle.NewAttempts(w.now, 0), Ring: ring(t), Now: w.now, Audit: w.record,
		Signers: token.NewSigners(w.SigningKeys, ring(t), w.now),
	}
	w.deps.Resolver = authn.New(authn.Config{Store: w.Store, Signers: w.deps.Signers, Now: w.now})
	w.Service = w.block(cfg)
	w.populateClients()
	return w
}

// block returns another block over the same store.
func (w *clientWorld) block(cfg session.Config) *session.Service {
	if cfg.Realm == "" {
		cfg.Realm = realm
	}
	if cfg.Dialect == "" {
		cfg.Dialect = "oauth2"
	}
	return session.New(&w.deps, cfg)
}

func (w *clientWorld) populateClients() {
	for _, a := range []store.Account{
		{ID: annID, Username: "Ann", Roles: []string{"user"}},
		{ID: bobID, Username: "bob"},
	} {
		a.Realm = realm
		must(w.t, w.Accounts.InsertAccount(w.ctx, a))
	}
	must(w.t, w.Tenants.InsertTenant(w.ctx, store.Tenant{ID: clientTenant, Realm: realm, Name: "Acme Ltd"}))
	must(w.t, w.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: annID, Tenant: clientTenant, Roles: []string{"buyer"}}))
	w.annClient = w.client(clientSecret, store.Key{Account: annID, Tenant: clientTenant, Permissions: auth.Read, Scopes: auth.Scope{"orders", "stock", "prices"}})
	w.annClient2 = w.client(clientSecret2, store.Key{Account: annID, Scopes: auth.Scope{"orders"}})
	w.bobClient = w.client(bobSecret, store.Key{Account: bobID, Scopes: auth.Scope{"orders"}})
	w.tenantClient = w.client(tenantSecret, store.Key{Tenant: clientTenant, Scopes: auth.Scope{"stock"}})
}

// client adds a key and returns its id as a client sends it.
func (w *clientWorld) client(secret string, k store.Key) string {
	w.t.Helper()
	return strconv.FormatInt(insertKey(w.t, w.Keys, secret, k), 10)
}

// now is a time between two milliseconds, as most are.
func (w *clientWorld) now() time.Time {
	return time.Date(2026, 2, 4, 10, 54, 37, 400_123, time.UTC).Add(time.Duration(w.clock.Load()))
}

func (w *clientWorld) pass(d time.Duration) { w.clock.Add(int64(d)) }

// as verifies a client and fails the test where that is refused.
func (w *clientWorld) as(id, secret string) session.Client {
	w.t.Helper()
	c, err := w.Client(w.ctx, id, auth.NewSecret(secret))
	must(w.t, err)
	return c
}

func (w *clientWorld) ann() session.Client { w.t.Helper(); return w.as(w.annClient, clientSecret) }

// tokens gets ann's client tokens.
func (w *clientWorld) tokens(scopes ...string) session.Tokens {
	w.t.Helper()
	t, err := w.ClientTokens(w.ctx, w.ann(), scopes)
	must(w.t, err)
	return t
}

// trade refreshes as ann's client.
func (w *clientWorld) trade(t session.Tokens, scopes ...string) (session.Tokens, error) {
	w.t.Helper()
	return w.RefreshTokens(w.ctx, w.ann(), t.Refresh.Token, scopes)
}

func (w *clientWorld) traded(t session.Tokens, scopes ...string) session.Tokens {
	w.t.Helper()
	next, err := w.trade(t, scopes...)
	must(w.t, err)
	return next
}

// guard resolves a token as a site of the realm does, from the store.
func (w *clientWorld) guard(text auth.Secret) (*auth.Principal, error) {
	v, err := w.deps.Resolver.Resolve(w.ctx, realm, bearer.Credential{Kind: auth.Bearer, Token: text.Reveal()})
	if err != nil {
		return nil, err
	}
	return v.Principal, nil
}

func (w *clientWorld) wantGood(texts ...auth.Secret) {
	w.t.Helper()
	for _, text := range texts {
		if _, err := w.guard(text); err != nil {
			w.t.Errorf("a good token was refused: %v", err)
		}
	}
}

func (w *clientWorld) wantDead(texts ...auth.Secret) {
	w.t.Helper()
	for _, text := range texts {
		if _, err := w.guard(text); err == nil || auth.CodeOf(err) != auth.InvalidCredential {
			w.t.Errorf("got %v of a token that must be dead", err)
		}
	}
}

func (w *clientWorld) live() int {
	w.t.Helper()
	_, n, err := w.Sessions.FindSessions(w.ctx, realm, store.SessionQuery{})
	must(w.t, err)
	return n
}

func (w *clientWorld) editAccount(id string, edit func(*store.Account)) {
	w.t.Helper()
	a, err := w.Accounts.Account(w.ctx, realm, id)
	must(w.t, err)
	edit(&a)
	must(w.t, w.Accounts.UpdateAccount(w.ctx, a))
}

func (w *clientWorld) editKey(client string, edit func(*store.Key)) {
	w.t.Helper()
	id, err := strconv.ParseInt(client, 10, 64)
	must(w.t, err)
	k, err := w.Keys.Key(w.ctx, realm, id)
	must(w.t, err)
	edit(&k)
	must(w.t, w.Keys.UpdateKey(w.ctx, k))
}

// watchedSessions lets a test stand before a write, and fail a call.
type watchedSessions struct {
	store.Sessions
	beforeInsert, beforeExchange, find, revoke func() error
}

func (s *watchedSessions) InsertSession(ctx context.Context, rows ...store.Session) error {
	if err := call(s.beforeInsert); err != nil {
		return err
	}
	return s.Sessions.InsertSession(ctx, rows...)
}

func (s *watchedSessions) ExchangeSession(ctx context.Context, old store.Session, next ...store.Session) error {
	if err := call(s.beforeExchange); err != nil {
		return err
	}
	return s.Sessions.ExchangeSession(ctx, old, next...)
}

func (s *watchedSessions) Session(ctx context.Context, realm string, by store.SessionRef) (store.Session, error) {
	if err := call(s.find); err != nil {
		return store.Session{}, err
	}
	return s.Sessions.Session(ctx, realm, by)
}

func (s *watchedSessions) RevokeSessions(ctx context.Context, realm string, m store.SessionMatch) (int, error) {
	if err := call(s.revoke); err != nil {
		return 0, err
	}
	return s.Sessions.RevokeSessions(ctx, realm, m)
}

type countedKeys struct {
	store.Keys
	w *clientWorld
}

func (k countedKeys) Key(ctx context.Context, realm string, id int64) (store.Key, error) {
	k.w.lookedKeys.Add(1)
	return k.Keys.Key(ctx, realm, id)
}

type countedAccounts struct {
	store.Accounts
	w *clientWorld
}

func (a countedAccounts) Account(ctx context.Context, realm, ref string) (store.Account, error) {
	a.w.lookedAccounts.Add(1)
	if ref == "" || strings.ContainsRune(ref, 0) {
		a.w.t.Errorf("%q is looked up, which no store works for", ref)
	}
	if a.w.noAccounts.Load() {
		return store.Account{}, auth.Fail(auth.NotFound, "", nil)
	}
	return a.Accounts.Account(ctx, realm, ref)
}

// secretsIn lists what no event may hold.
func (w *clientWorld) secretsIn(all ...session.Tokens) []string {
	secrets := []string{clientSecret, clientSecret2, bobSecret, tenantSecret}
	for _, t := range all {
		secrets = append(secrets, t.Access.Token.Reveal(), t.Refresh.Token.Reveal())
	}
	return secrets
}
