package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// standIn is an issuer of this machine, with metadata and one key.
type standIn struct {
	*httptest.Server
	t       testing.TB
	mu      sync.Mutex
	private *ecdsa.PrivateKey
	id      string
	down    atomic.Bool
	asked   atomic.Int64 // for keys
}

func newStandIn(t testing.TB) *standIn {
	t.Helper()
	s := &standIn{t: t}
	s.rotate("k1")
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// rotate replaces the key.
func (s *standIn) rotate(id string) {
	s.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(s.t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.private, s.id = private, id
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.down.Load() {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, s.URL, s.URL+"/keys")
	case "/keys":
		s.asked.Add(1)
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.private.Public(), KeyID: s.id, Algorithm: "ES256", Use: "sig"}}})
	default:
		http.NotFound(w, r)
	}
}

// token returns a token of the issuer that is good for an hour, with claims
// replaced.
func (s *standIn) token(w *world, change jwt.MapClaims) string {
	s.t.Helper()
	claims := jwt.MapClaims{
		"iss": s.URL, "sub": "8f3a", "aud": "api", "exp": w.now().Add(time.Hour).Unix(), "jti": "t-9",
		"scope": "orders", "preferred_username": "zoë", "realm_access": map[string]any{"roles": []string{"admin"}}, "org": "t-1",
	}
	for name, v := range change {
		claims[name] = v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, claims)
	token.Header["kid"] = s.id
	text, err := token.SignedString(s.private)
	must(s.t, err)
	return text
}

func (s *standIn) config() issuer.Config {
	return issuer.Config{URL: s.URL, Audiences: []string{"api"}, Claims: map[string]string{
		"username": "{claim.preferred_username}", "roles": "{claim.realm_access.roles}", "tenant": "{claim.org}",
	}}
}

// trusting is a site that takes the tokens of the stand-in.
func trusting(t testing.TB, change func(*gateway.Config)) (*world, *standIn) {
	t.Helper()
	s := newStandIn(t)
	cfg := gateway.Config{Trust: []issuer.Config{s.config()}, Accept: []bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.APIKey}}}
	if change != nil {
		change(&cfg)
	}
	return newWorld(t, cfg), s
}

func authorization(text string) string { return "Authorization: Bearer " + text }

func TestATokenOfAnOutsideIssuerPassesAsItsCaller(t *testing.T) {
	w, s := trusting(t, func(c *gateway.Config) {
		c.Require = []gateway.Requirement{{Roles: []string{"admin"}, Scopes: []string{"orders"}, Tenants: []string{"t-1"}}}
	})
	got := w.do(get("/orders", authorization(s.token(w, nil)), "X-Auth-Subject: "+annID))
	if got.forwarded == nil {
		t.Fatalf("refused with %d %s", got.StatusCode, got.body)
	}
	h := got.forwarded.Header
	for name, want := range map[string]string{
		"X-Auth-Subject": s.URL + "|8f3a", "X-Auth-Username": "zo%C3%AB", "X-Auth-Tenant": "t-1", "X-Auth-Roles": "admin",
		"X-Auth-Scopes": "orders", "X-Auth-Credential": "bearer:t-9", "Authorization": "",
	} {
		if h.Get(name) != want || len(h.Values(name)) > 1 {
			t.Errorf("%s is %q, want %q", name, h.Values(name), want)
		}
	}
	w.wantCounted("passed")
}

func TestAnOutsideSubjectIsNeverAnAccount(t *testing.T) {
	w, s := trusting(t, nil)
	got := w.do(get("/orders", authorization(s.token(w, jwt.MapClaims{"sub": annID}))))
	if got.forwarded == nil || got.forwarded.Header.Get("X-Auth-Subject") != s.URL+"|"+annID {
		t.Fatalf("got %v", got.forwarded)
	}
	// And so beside a key of that very account it is another caller.
	got = w.do(get("/orders", authorization(s.token(w, jwt.MapClaims{"sub": annID})), "X-Api-Key: "+annKey))
	if got.StatusCode != http.StatusBadRequest || got.forwarded != nil {
		t.Errorf("beside the account's key: %d", got.StatusCode)
	}
}

func TestRefusalsOfOutsideTokensAreOneAnswer(t *testing.T) {
	w, s := trusting(t, nil)
	other := newStandIn(t)
	good := s.token(w, nil)
	want := w.do(get("/orders", authorization(badBearer)))
	for name, text := range map[string]string{
		"an issuer that is not trusted": other.token(w, nil),
		"a key of another issuer (J23)": other.token(w, jwt.MapClaims{"iss": s.URL}),
		"another audience (J15)":        s.token(w, jwt.MapClaims{"aud": "api.evil"}),
		"expired (J14)":                 s.token(w, jwt.MapClaims{"exp": w.now().Add(-time.Second).Unix()}),
		"an ID token (J16)":             s.token(w, jwt.MapClaims{"at_hash": "x"}),
		"a signature that is cut":       good[:len(good)-4],
	} {
		t.Run(name, func(t *testing.T) {
			got := w.do(get("/orders", authorization(text)))
			if got.forwarded != nil || got.StatusCode != http.StatusUnauthorized || got.body != want.body ||
				got.Header.Get("WWW-Authenticate") != want.Header.Get("WWW-Authenticate") {
				t.Errorf("%d %v %s", got.StatusCode, got.Header, got.body)
			}
		})
	}
}

// X01: what one site trusts is no verdict for another, however warm the cache.
func TestX01AVerdictCountsOnlyWhereTheIssuerIsTrustedInTheSameWay(t *testing.T) {
	w, s := trusting(t, nil)
	site := func(change func(*issuer.Config)) *gateway.Site {
		c := s.config()
		change(&c)
		built := w.newSite(gateway.Config{Trust: []issuer.Config{c}})
		built.Bind(w.rt)
		return built
	}
	audience := site(func(c *issuer.Config) { c.Audiences = []string{"another"} })
	algorithm := site(func(c *issuer.Config) { c.Algorithms = []string{"RS256"} })
	roles := site(func(c *issuer.Config) { c.Claims = nil })
	nobody := w.newSite(gateway.Config{})
	nobody.Bind(w.rt)
	text := s.token(w, nil)
	warm := func(hits uint64) {
		t.Helper()
		for range 1000 {
			if w.do(get("/", authorization(text))).forwarded == nil {
				t.Fatal("refused")
			}
			if w.rt.Resolver.Stats().Hits > hits {
				return
			}
		}
		t.Fatal("never answered from the cache")
	}
	warm(0)
	for name, other := range map[string]*gateway.Site{"another audience": audience, "another algorithm": algorithm, "no trust": nobody} {
		if got := send(t, other, get("/", authorization(text))); got.StatusCode != http.StatusUnauthorized || got.forwarded != nil {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	if got := send(t, roles, get("/", authorization(text))); got.forwarded == nil || got.forwarded.Header.Get("X-Auth-Roles") != "" {
		t.Errorf("roles that are not mapped: %v", got.forwarded)
	}
	warm(w.rt.Resolver.Stats().Hits)
}

// cached asks until the answer comes from the cache, which needs the feed to
// vouch for it.
func (w *world) cached(lines ...string) {
	w.t.Helper()
	for before := w.rt.Resolver.Stats().Hits; w.rt.Resolver.Stats().Hits == before; {
		if w.do(get("/", lines...)).forwarded == nil {
			w.t.Fatal("refused")
		}
	}
}

func TestACachedVerdictEndsWithItsTokenAndItsKey(t *testing.T) {
	w, s := trusting(t, nil)
	text, short := s.token(w, nil), s.token(w, jwt.MapClaims{"exp": w.now().Add(5 * time.Second).Unix()})
	w.cached(authorization(text))
	w.cached(authorization(short))
	w.clock.Add(int64(issuer.CoolDown))
	w.cached("X-Api-Key: " + annKey) // the cache counts again after the jump
	if got := w.do(get("/", authorization(short))); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("expired: %d", got.StatusCode)
	}
	w.cached(authorization(text))
	s.rotate("k2")
	if w.do(get("/", authorization(s.token(w, nil)))).forwarded == nil { // which has the keys read anew
		t.Error("the new key is refused")
	}
	w.cached("X-Api-Key: " + annKey)
	if got := w.do(get("/", authorization(text))); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("its key is gone: %d", got.StatusCode)
	}
}

// A gateway may be trusted under the very name that it issues under itself.
// Its own tokens are told by their key, and stay revocable.
func TestATokenIssuedHereInTheNameOfATrustedIssuer(t *testing.T) {
	s := newStandIn(t)
	c := s.config()
	w := newWorld(t, gateway.Config{
		Trust: []issuer.Config{c},
		Logins: []gateway.Login{login(t, "oauth2", func(c *dialect.Config) {
			c.Format = "jwt"
			c.Options = map[string][]string{"issuer": {s.URL}, "audience": {"api"}}
		})},
	})
	id := w.addKey("planted-secret-of-a-client", store.Key{Account: annID, Scopes: auth.Scope{"orders"}})
	r := httptest.NewRequest(http.MethodPost, "https://api.example.com/oauth2/token", strings.NewReader("grant_type=client_credentials"))
	r.SetBasicAuth(fmt.Sprint(id), "planted-secret-of-a-client")
	got := w.do(with(r, "Content-Type: application/x-www-form-urlencoded"))
	var body struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || strings.Count(body.Token, ".") != 2 {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	got = w.do(get("/", authorization(body.Token)))
	if got.forwarded == nil || got.forwarded.Header.Get("X-Auth-Subject") != annID {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	if s.asked.Load() != 0 {
		t.Error("the issuer was asked about it")
	}
}

func TestAnIssuerThatIsDownIsNoFaultOfTheCaller(t *testing.T) {
	w, s := trusting(t, func(c *gateway.Config) { c.Public = []gateway.Rule{{Paths: []string{"/public"}}} })
	text := s.token(w, nil)
	if w.do(get("/", authorization(text))).forwarded == nil {
		t.Fatal("refused")
	}
	s.down.Store(true)
	w.clock.Add(int64(issuer.MaxStale))
	fresh := s.token(w, nil)
	for _, path := range []string{"/", "/public"} {
		got := w.do(get(path, authorization(fresh)))
		if got.StatusCode != http.StatusServiceUnavailable || got.forwarded != nil || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", path, got.StatusCode, got.Header)
		}
	}
	if got := fmt.Sprint(w.counted); got != "[passed refused issuer refused issuer]" {
		t.Errorf("counted %s", got)
	}
	if w.do(get("/", "X-Api-Key: "+annKey)).forwarded == nil {
		t.Error("a key of ours is refused too")
	}
	s.down.Store(false)
	w.clock.Add(int64(issuer.CoolDown))
	if w.do(get("/", authorization(fresh))).forwarded == nil {
		t.Error("it is up again")
	}
}

func TestFiftyAtOnceAskTheIssuerOnce(t *testing.T) {
	w, s := trusting(t, nil)
	var all sync.WaitGroup
	for i := range 50 {
		text := s.token(w, jwt.MapClaims{"sub": fmt.Sprint("caller-", i)})
		all.Go(func() {
			if send(t, w.site, get("/", authorization(text))).forwarded == nil {
				t.Error("refused")
			}
		})
	}
	all.Wait()
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestTokensIssuedHereAreReadAsEverWhereOthersAreTrusted(t *testing.T) {
	w, s := trusting(t, func(c *gateway.Config) {
		c.Logins = []gateway.Login{login(t, "management", func(c *dialect.Config) { c.Format = "jwt" })}
	})
	got := w.do(with(httptest.NewRequest(http.MethodPost, "https://api.example.com/v1/auth/login",
		strings.NewReader(`{"username":"ann","password":"`+annSecret+`"}`)), "Content-Type: application/json"))
	var body struct{ Token string }
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || strings.Count(body.Token, ".") != 2 {
		t.Fatalf("logging in: %d %s", got.StatusCode, got.body)
	}
	if got := w.do(get("/", authorization(body.Token))); got.forwarded == nil || got.forwarded.Header.Get("X-Auth-Subject") != annID {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	// A login's own calls are about accounts, which an outside caller has none of.
	if got := w.do(get("/v1/auth/user", authorization(s.token(w, nil)))); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("the account of an outside caller: %d %s", got.StatusCode, got.body)
	}
	if got := w.do(get("/", authorization(s.token(w, nil)))); got.forwarded == nil {
		t.Errorf("the outside: %d %s", got.StatusCode, got.body)
	}
}

func TestABearerCountsForTheSakeOfAnIssuer(t *testing.T) {
	s := newStandIn(t)
	trust := []issuer.Config{s.config()}
	for name, cfg := range map[string]gateway.Config{
		"alone":                          {Trust: trust, Accept: nil},
		"beside a login of another kind": {Trust: trust, Logins: []gateway.Login{login(t, "timed_login")}},
	} {
		t.Run(name, func(t *testing.T) {
			site, err := gateway.New(cfg)
			must(t, err)
			w := newWorld(t, gateway.Config{})
			site.Bind(w.rt)
			if got := send(t, site, get("/", authorization(s.token(w, nil)))); got.forwarded == nil {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
		})
	}
	_, err := gateway.New(gateway.Config{Trust: trust, Accept: []bearer.Spec{{Kind: auth.APIKey}}})
	if err == nil || !strings.Contains(err.Error(), "accept bearer") {
		t.Errorf("no bearer: %v", err)
	}
}

// C10: a token stands where it is read, and nowhere else.
func TestC10AnOutsideTokenIsABearerAlone(t *testing.T) {
	w, s := trusting(t, func(c *gateway.Config) {
		c.Accept = []bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.APIKey}, {Kind: auth.Basic}, {Kind: auth.Query, Name: "token"}}
	})
	text := s.token(w, nil)
	for _, r := range []*http.Request{get("/?token=" + text), get("/", "X-Api-Key: "+text)} {
		if got := w.do(r); got.StatusCode != http.StatusUnauthorized || got.forwarded != nil {
			t.Errorf("%.8s: %d", r.RequestURI, got.StatusCode)
		}
	}
	if n := s.asked.Load(); n > 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestACachedOutsideVerdictTakesAtMostTwoAllocations(t *testing.T) {
	w, s := trusting(t, nil)
	trust, err := issuer.NewTrust([]issuer.Config{s.config()})
	must(t, err)
	c := bearer.Credential{Kind: auth.Bearer, Token: s.token(w, nil)}
	resolve := func() {
		if _, err := w.rt.Resolver.ResolveTrusting(w.ctx, trust, realm, c); err != nil {
			t.Fatal(err)
		}
	}
	for w.rt.Resolver.Stats().Hits == 0 {
		resolve()
	}
	if n := testing.AllocsPerRun(1000, resolve); n > 2 {
		t.Errorf("%v allocations", n)
	}
}
