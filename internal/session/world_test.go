package session_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	realm = "default"

	annID   = "0b7e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a11"
	bobID   = "9c9e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a22"
	carolID = "6f3a4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a33"

	right = "planted-right-password"
	wrong = "planted-wrong-password"

	annKey = "api_planted0key0of0ann00"
)

// cost is the least that argon2id can be asked for.
var cost = password.Options{MemoryKiB: 8, Time: 1, Threads: 1}

// world is a store with ann (a password, an email, a key), bob (disabled) and
// carol (no password), and services over it.
type world struct {
	store.Store
	t        testing.TB
	ctx      context.Context
	clock    atomic.Int64 // nanoseconds added to the time of now
	deps     session.Deps
	hasher   *countingHasher
	hooks    *hookedStore
	keyID    int64
	password *session.Service // a login block like management's
	keys     *session.Service // a login block like timed_login's

	eventLog
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, ctx: session.WithAddress(context.Background(), netip.MustParseAddr("192.0.2.1"))}
	w.Store = memstore.New(w.now)
	w.hooks = &hookedStore{}
	w.hooks.wrap(&w.Store)
	w.hasher = &countingHasher{Hasher: password.New(cost)}
	w.deps = session.Deps{
		Store: w.Store, Hasher: w.hasher, Attempts: throttle.NewAttempts(w.now, 0),
		Signers: token.NewSigners(w.SigningKeys, ring(t), w.now), Now: w.now, Audit: w.record,
	}
	w.deps.Resolver = authn.New(authn.Config{Store: w.Store, Signers: w.deps.Signers, Now: w.now})
	w.password = w.service(session.Config{Dialect: "management"})
	w.keys = w.service(session.Config{Dialect: "timed_login", TTL: 20 * time.Second, Form: token.GUID})
	w.populate()
	return w
}

// service returns the service of a login block; what c leaves out is usual.
func (w *world) service(c session.Config) *session.Service {
	if c.Realm == "" {
		c.Realm = realm
	}
	if c.TTL == 0 {
		c.TTL = 30 * time.Minute
	}
	if c.Form == nil {
		c.Form = token.Opaque
	}
	return session.New(&w.deps, c)
}

func ring(t testing.TB) *token.Ring {
	t.Helper()
	r, err := token.ParseRing(token.RingFile{Name: "test", Text: token.NewRing()})
	must(t, err)
	return r
}

func (w *world) populate() {
	hash := w.hash(right)
	for _, a := range []store.Account{
		{ID: annID, Username: "Ann", Email: "Ann@Example.com", Password: hash, Roles: []string{"user"}},
		{ID: bobID, Username: "bob", Password: hash, Disabled: true},
		{ID: carolID, Username: "carol"},
	} {
		a.Realm = realm
		must(w.t, w.Accounts.InsertAccount(w.ctx, a))
	}
	w.keyID = w.addKey(annKey, store.Key{Account: annID, Permissions: auth.Read})
}

// hash returns what is stored for a password.
func (w *world) hash(text string) auth.Secret {
	w.t.Helper()
	hash, err := w.hasher.Hasher.Make(w.ctx, auth.NewSecret(text))
	must(w.t, err)
	return hash
}

func (w *world) addKey(text string, k store.Key) int64 {
	w.t.Helper()
	return insertKey(w.t, w.Keys, text, k)
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }

// last returns the newest event.
func (w *world) last() auth.Event {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.events) == 0 {
		w.t.Fatal("nothing was audited")
	}
	return w.events[len(w.events)-1]
}

// login logs in by password and fails the test where that is refused.
func (w *world) login(name string) session.Issued {
	w.t.Helper()
	issued, err := w.password.LoginPassword(w.ctx, name, auth.NewSecret(right))
	must(w.t, err)
	return issued
}

// loginKey logs in by key and fails the test where that is refused.
func (w *world) loginKey() session.Issued {
	w.t.Helper()
	issued, err := w.keys.LoginKey(w.ctx, "ann", auth.NewSecret(annKey))
	must(w.t, err)
	return issued
}

func (w *world) changeAccount(id string, change func(*store.Account)) {
	w.t.Helper()
	a, err := w.Accounts.Account(w.ctx, realm, id)
	must(w.t, err)
	change(&a)
	must(w.t, w.Accounts.UpdateAccount(w.ctx, a))
}

func (w *world) changeKey(id int64, change func(*store.Key)) {
	w.t.Helper()
	k, err := w.Keys.Key(w.ctx, realm, id)
	must(w.t, err)
	change(&k)
	must(w.t, w.Keys.UpdateKey(w.ctx, k))
}

// resolve returns who presents a token, to whom it was issued or to any site
// of the realm.
func (w *world) resolve(text auth.Secret) (*auth.Principal, error) {
	v, err := w.deps.Resolver.Resolve(w.ctx, realm, bearerOf(text))
	if err != nil {
		return nil, err
	}
	return v.Principal, nil
}

func bearerOf(text auth.Secret) bearer.Credential {
	return bearer.Credential{Kind: auth.Bearer, Token: text.Reveal()}
}

// sessions counts the tokens of ann in the store.
func (w *world) sessions() int {
	w.t.Helper()
	_, n, err := w.Sessions.FindSessions(w.ctx, realm, store.SessionQuery{})
	must(w.t, err)
	return n
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantRefusal fails the test unless err is of this code and reason.
func wantRefusal(t testing.TB, err error, code auth.Code, reason auth.Reason) {
	t.Helper()
	e := auth.AsError(err)
	if e == nil || e.Code != code || e.Reason != reason {
		t.Fatalf("got %v, want %v: %v", err, code, reason)
	}
}

// wantNothing fails the test where a login that failed answered a token.
func wantNothing(t testing.TB, issued session.Issued) {
	t.Helper()
	if !issued.Token.Empty() || issued.ID != "" || issued.Principal != nil {
		t.Fatalf("a login that failed answered %+v", issued)
	}
}

// countingHasher counts the work and can fail or do something before it.
type countingHasher struct {
	*password.Hasher
	work   atomic.Int64 // verifications, of a stored hash or of the decoy
	made   atomic.Int64
	fail   error
	before func()
}

func (h *countingHasher) begin() error {
	h.work.Add(1)
	if h.before != nil {
		h.before()
	}
	return h.fail
}

func (h *countingHasher) Verify(ctx context.Context, phc, pw auth.Secret) (ok, outdated bool, err error) {
	if err := h.begin(); err != nil {
		return false, false, err
	}
	return h.Hasher.Verify(ctx, phc, pw)
}

func (h *countingHasher) Decoy(ctx context.Context, pw auth.Secret) error {
	if err := h.begin(); err != nil {
		return err
	}
	return h.Hasher.Decoy(ctx, pw)
}

func (h *countingHasher) Make(ctx context.Context, pw auth.Secret) (auth.Secret, error) {
	h.made.Add(1)
	return h.Hasher.Make(ctx, pw)
}

// hookedStore lets a test stand between a login and its store. A hook that
// returns an error takes the place of the call.
type hookedStore struct {
	account, insert, keyLookup, update func() error
}

func (h *hookedStore) wrap(s *store.Store) {
	s.Accounts = hookedAccounts{s.Accounts, h}
	s.Sessions = hookedSessions{s.Sessions, h}
	s.Keys = hookedKeys{s.Keys, h}
}

func call(hook func() error) error {
	if hook == nil {
		return nil
	}
	return hook()
}

type hookedAccounts struct {
	store.Accounts
	h *hookedStore
}

func (a hookedAccounts) Account(ctx context.Context, realm, ref string) (store.Account, error) {
	if err := call(a.h.account); err != nil {
		return store.Account{}, err
	}
	return a.Accounts.Account(ctx, realm, ref)
}

func (a hookedAccounts) UpdateAccount(ctx context.Context, row store.Account) error {
	if err := call(a.h.update); err != nil {
		return err
	}
	return a.Accounts.UpdateAccount(ctx, row)
}

type hookedSessions struct {
	store.Sessions
	h *hookedStore
}

func (s hookedSessions) InsertSession(ctx context.Context, rows ...store.Session) error {
	if err := call(s.h.insert); err != nil {
		return err
	}
	return s.Sessions.InsertSession(ctx, rows...)
}

type hookedKeys struct {
	store.Keys
	h *hookedStore
}

func (k hookedKeys) KeyByDigest(ctx context.Context, realm string, d auth.Digest) (store.Key, error) {
	if err := call(k.h.keyLookup); err != nil {
		return store.Key{}, err
	}
	return k.Keys.KeyByDigest(ctx, realm, d)
}

// once returns a hook that does something the first time only: what it does
// may come back to the hooked call.
func once(do func()) func() error {
	done := false
	return func() error {
		if !done {
			done = true
			do()
		}
		return nil
	}
}

// down is what a store out of reach says.
func down() error { return auth.Fail(auth.Unavailable, auth.ReasonStore, errors.New("out of reach")) }

// secretsOf lists what must stand in no event: what was planted and what was
// issued, as it is and as base64.
func secretsOf(issued ...session.Issued) []string {
	secrets := []string{right, wrong, annKey}
	for _, i := range issued {
		if !i.Token.Empty() {
			secrets = append(secrets, i.Token.Reveal())
		}
	}
	for _, s := range secrets {
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return secrets
}

// wantNoSecret fails the test where one of these is printed.
func wantNoSecret(t testing.TB, printed string, secrets []string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(printed, s) {
			t.Errorf("%q stands in %s", s, printed)
		}
	}
}

func printed(events []auth.Event) string { return fmt.Sprintf("%+v %#v", events, events) }
