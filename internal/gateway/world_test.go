package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/password"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const (
	realm = gateway.DefaultRealm

	annID = "0b7e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a11"
	bobID = "9c9e4bd8-8f0a-4d8e-9f5e-1d0c6a3d1a22"

	// The ids of their tokens.
	annToken = "5b2f7c52-52a3-4c80-a4a0-0e2a54b1de01"
	bobToken = "5b2f7c52-52a3-4c80-a4a0-0e2a54b1de02"

	// What is planted: no event and no refusal may hold any of it.
	annBearer = "planted-token-of-ann"
	bobBearer = "planted-token-of-bob"
	annKey    = "planted-key-of-ann-0001"
	bobKey    = "planted-key-of-bob-0001"
	annGUID   = "aaaaaaaa-0000-4000-8000-00000000f00d"
	bobGUID   = "bbbbbbbb-0000-4000-8000-00000000f00d"
	badBearer = "planted-token-of-nobody"
	badKey    = "planted-key-of-nobody-01"
	annSecret = "planted-password-of-ann"
)

var planted = []string{annBearer, bobBearer, annKey, bobKey, annGUID, bobGUID, badBearer, badKey, annSecret}

// world is a runtime on a store with ann (of tenant Acme Ltd) and bob, each
// with tokens and a key, and one site in front of an upstream.
type world struct {
	t     testing.TB
	ctx   context.Context
	clock atomic.Int64 // nanoseconds added to the time of now
	rt    *gateway.Runtime
	store store.Store
	rows  *faultySessions
	site  *gateway.Site

	mu       sync.Mutex
	events   []auth.Event
	counted  []string // "outcome reason"
	attached []*authn.Verdict
}

// faultySessions fails or panics instead of looking up.
type faultySessions struct {
	store.Sessions
	fault func(context.Context) error
}

func (f *faultySessions) Session(ctx context.Context, realm string, by store.SessionRef) (store.Session, error) {
	if f.fault != nil {
		if err := f.fault(ctx); err != nil {
			return store.Session{}, err
		}
	}
	return f.Sessions.Session(ctx, realm, by)
}

func down(context.Context) error {
	return auth.Fail(auth.Unavailable, auth.ReasonStore, errors.New("out of reach"))
}

// newWorld returns a world whose site is made from cfg; what it leaves out of
// Accept and Logins together is bearer and api_key. Its hooks are the world's
// own unless cfg has one.
func newWorld(t testing.TB, cfg gateway.Config) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background()}
	rows := memstore.New(w.now)
	w.rows = &faultySessions{Sessions: rows.Sessions}
	rows.Sessions = w.rows
	w.store = rows
	ring, err := token.ParseRing(token.RingFile{Name: "test", Text: token.NewRing()})
	must(t, err)
	w.rt = gateway.NewRuntime(gateway.RuntimeConfig{
		Store: rows, Ring: ring, Now: w.now, Hashing: password.Options{MemoryKiB: 8, Time: 1, Threads: 1},
	})
	t.Cleanup(func() { must(t, w.rt.Close()) })
	w.populate()
	w.site = w.newSite(cfg)
	w.site.Bind(w.rt)
	return w
}

// newSite builds a site of the world and leaves it unbound.
func (w *world) newSite(cfg gateway.Config) *gateway.Site {
	w.t.Helper()
	if cfg.Accept == nil && cfg.Logins == nil {
		cfg.Accept = []bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.APIKey}}
	}
	w.hook(&cfg.Hooks)
	site, err := gateway.New(cfg)
	must(w.t, err)
	return site
}

func (w *world) hook(h *gateway.Hooks) {
	if h.Address == nil {
		h.Address = address
	}
	if h.Expand == nil {
		h.Expand = w.expand
	}
	if h.Attach == nil {
		h.Attach = w.attach
	}
	if h.Audit == nil {
		h.Audit = w.audit
	}
	if h.Count == nil {
		h.Count = w.count
	}
}

func (w *world) populate() {
	hash, err := w.rt.Hasher.Make(w.ctx, auth.NewSecret(annSecret))
	must(w.t, err)
	must(w.t, w.store.Accounts.InsertAccount(w.ctx, store.Account{ID: annID, Realm: realm, Username: "ann", Password: hash, Roles: []string{"user"}}))
	must(w.t, w.store.Accounts.InsertAccount(w.ctx, store.Account{ID: bobID, Realm: realm, Username: "bob"}))
	must(w.t, w.store.Tenants.InsertTenant(w.ctx, store.Tenant{ID: "t-1", Realm: realm, Name: "Acme Ltd"}))
	must(w.t, w.store.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: annID, Tenant: "t-1"}))
	w.addKey(annKey, store.Key{Account: annID, Permissions: auth.Read, Scopes: auth.Scope{"orders"}})
	w.addKey(bobKey, store.Key{Account: bobID})
	w.addSession(annBearer, store.Session{ID: annToken, Subject: annID})
	w.addSession(bobBearer, store.Session{ID: bobToken, Subject: bobID})
	w.addSession(annGUID, store.Session{ID: "guid-" + annToken, Subject: annID, Dialect: "timed_login"})
	w.addSession(bobGUID, store.Session{ID: "guid-" + bobToken, Subject: bobID, Dialect: "timed_login"})
}

func (w *world) addKey(text string, k store.Key) int64 {
	w.t.Helper()
	k.Realm, k.Digest = realm, auth.DigestOf(text)
	id, err := w.store.Keys.InsertKey(w.ctx, k)
	must(w.t, err)
	return id
}

func (w *world) addSession(text string, s store.Session) {
	w.t.Helper()
	now := store.Precise(w.now())
	s.Realm, s.Digest, s.Kind = realm, auth.DigestOf(text), store.AccessToken
	s.Issued, s.Updated, s.Expires, s.Keep = now, now, now.Add(time.Hour), now.Add(2*time.Hour)
	if s.Dialect == "" {
		s.Dialect = "management"
	}
	must(w.t, w.store.Sessions.InsertSession(w.ctx, s))
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.clock.Load())) }

func (w *world) changeAccount(id string, change func(*store.Account)) {
	w.t.Helper()
	a, err := w.store.Accounts.Account(w.ctx, realm, id)
	must(w.t, err)
	change(&a)
	must(w.t, w.store.Accounts.UpdateAccount(w.ctx, a))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// address is that of the connection.
func address(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr()
}

// expand knows {path.N}, a segment of the path, and {user}, the caller.
func (w *world) expand(r *http.Request, template string) (string, error) {
	name, ok := strings.CutPrefix(template, "{")
	if !ok {
		return template, nil
	}
	name = strings.TrimSuffix(name, "}")
	if name == "user" {
		return w.user(), nil
	}
	var n int
	if _, err := fmt.Sscanf(name, "path.%d", &n); err != nil {
		return "", fmt.Errorf("unknown placeholder %q", template)
	}
	segments := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if n >= len(segments) {
		return "", nil
	}
	return segments[n], nil
}

// user is who the server was last told of, "" for nobody.
func (w *world) user() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.attached) == 0 || w.attached[len(w.attached)-1] == nil {
		return ""
	}
	return w.attached[len(w.attached)-1].Principal.Username
}

func (w *world) attach(_ *http.Request, v *authn.Verdict) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attached = append(w.attached, v)
}

func (w *world) audit(_ context.Context, e auth.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

func (w *world) count(o gateway.Outcome, reason auth.Reason) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.counted = append(w.counted, strings.TrimSpace(o.String()+" "+string(reason)))
}

// result is what became of one request.
type result struct {
	*http.Response
	body string
	// forwarded is the request as the upstream got it, nil where it did not.
	forwarded *http.Request
	sent      string // its body
	err       error
}

// do sends a request to the site of the world, whose upstream answers 200.
func (w *world) do(r *http.Request) result {
	w.t.Helper()
	return send(w.t, w.site, r)
}

func send(t testing.TB, site *gateway.Site, r *http.Request) result {
	t.Helper()
	var got result
	recorder := httptest.NewRecorder()
	got.err = site.ServeHTTP(recorder, r, func(rw http.ResponseWriter, r *http.Request) error {
		got.forwarded = r
		text, err := io.ReadAll(r.Body)
		must(t, err)
		got.sent = string(text)
		rw.WriteHeader(http.StatusOK)
		return nil
	})
	got.Response = recorder.Result()
	got.body = recorder.Body.String()
	return got
}

// request returns a request over TLS with these header lines, each "Name: value".
func request(method, target string, lines ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "https://api.example.com"+target, http.NoBody)
	r.Method, r.RequestURI, r.URL.Scheme, r.URL.Host = method, target, "", "" // as a server has them
	return with(r, lines...)
}

func with(r *http.Request, lines ...string) *http.Request {
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		r.Header[http.CanonicalHeaderKey(name)] = append(r.Header[http.CanonicalHeaderKey(name)], value)
	}
	return r
}

func get(target string, lines ...string) *http.Request {
	return request(http.MethodGet, target, lines...)
}

// The header lines of the credentials.
const (
	asAnn       = "Authorization: Bearer " + annBearer
	asBob       = "Authorization: Bearer " + bobBearer
	asNobody    = "Authorization: Bearer " + badBearer
	withAnnKey  = "X-Api-Key: " + annKey
	withBobKey  = "X-Api-Key: " + bobKey
	withBadKey  = "X-Api-Key: " + badKey
	formlessKey = "Authorization: Bearer with spaces in it"
)

// wantForwarded fails the test unless the upstream got the request, from this
// subject ("" for anonymous).
func wantForwarded(t testing.TB, got result, subject string) {
	t.Helper()
	if got.forwarded == nil {
		t.Fatalf("refused with %d: %s", got.StatusCode, got.body)
	}
	if s := strings.Join(got.forwarded.Header["X-Auth-Subject"], "|"); s != subject {
		t.Errorf("the upstream was told of %q, want %q", s, subject)
	}
	if got.err != nil {
		t.Error(got.err)
	}
}

// wantRefused fails the test unless the request was refused with this status,
// was not forwarded, and the answer keeps out of caches and holds no secret.
func wantRefused(t testing.TB, got result, status int) {
	t.Helper()
	if got.forwarded != nil {
		t.Error("the upstream got the request")
	}
	if got.StatusCode != status {
		t.Errorf("answered %d, want %d: %s", got.StatusCode, status, got.body)
	}
	if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the answer may be cached or sniffed: %v", got.Header)
	}
	if got.body == "" || got.Header.Get("Content-Type") == "" {
		t.Error("the answer has no body or no type")
	}
	for _, secret := range planted {
		if strings.Contains(got.body+fmt.Sprint(got.Header), secret) {
			t.Errorf("the answer holds %s: %s", secret, got.body)
		}
	}
	if got.err != nil {
		t.Error(got.err)
	}
}

// refusals returns the audited refusals.
func (w *world) refusals() (list []auth.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == auth.RefusalEvent {
			list = append(list, e)
		}
	}
	return list
}

// wantReason fails the test unless exactly one refusal was audited, with this
// reason, and counted alike. It then forgets them.
func (w *world) wantReason(outcome gateway.Outcome, reason auth.Reason) auth.Event {
	w.t.Helper()
	list := w.refusals()
	w.mu.Lock()
	defer w.mu.Unlock()
	want := strings.TrimSpace(outcome.String() + " " + string(reason))
	if len(w.counted) != 1 || w.counted[0] != want {
		w.t.Errorf("counted %q, want %q once", w.counted, want)
	}
	if len(list) != 1 || list[0].Reason != reason || list[0].Realm != w.site.Realm() || list[0].OK {
		w.t.Fatalf("audited %+v, want one of %q", list, reason)
	}
	for _, secret := range planted {
		if strings.Contains(fmt.Sprintf("%+v %#v", list, list), secret) {
			w.t.Errorf("audited was %s: %+v", secret, list)
		}
	}
	w.events, w.counted = nil, nil
	return list[0]
}

// wantCounted fails the test unless exactly these ends were counted and
// nothing was audited as a refusal. It then forgets them.
func (w *world) wantCounted(outcomes ...string) {
	w.t.Helper()
	if list := w.refusals(); len(list) != 0 {
		w.t.Errorf("audited were %+v", list)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if fmt.Sprint(w.counted) != fmt.Sprint(outcomes) {
		w.t.Errorf("counted %q, want %q", w.counted, outcomes)
	}
	w.events, w.counted = nil, nil
}

// login returns a login block of a dialect at its own base path.
func login(t testing.TB, name string, change ...func(*dialect.Config)) gateway.Login {
	t.Helper()
	kind, ok := table.Lookup(name)
	if !ok {
		t.Fatalf("there is no dialect %s", name)
	}
	l := gateway.Login{Kind: kind, Config: dialect.Config{Base: kind.Base}}
	for _, c := range change {
		c(&l.Config)
	}
	return l
}

func base(path string) func(*dialect.Config) {
	return func(c *dialect.Config) { c.Base = path }
}

// revoke withdraws a token.
func (w *world) revoke(id string) {
	w.t.Helper()
	_, err := w.store.Sessions.RevokeSessions(w.ctx, realm, store.SessionMatch{ID: id})
	must(w.t, err)
}
