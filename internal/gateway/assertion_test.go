package gateway_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// asserting returns a world whose site tells assertions to "orders".
func asserting(t testing.TB, change ...func(*gateway.Config)) *world {
	t.Helper()
	cfg := gateway.Config{Assertion: &gateway.Assertion{Audience: []string{"orders"}}, Public: docs}
	for _, c := range change {
		c(&cfg)
	}
	return newWorld(t, cfg)
}

// jwks returns the keys that the site publishes, by kid.
func (w *world) jwks() map[string]map[string]string {
	w.t.Helper()
	got := w.do(get(gateway.JWKSPath))
	if got.forwarded != nil || got.StatusCode != http.StatusOK {
		w.t.Fatalf("the keys: forwarded %v, answered %d: %s", got.forwarded != nil, got.StatusCode, got.body)
	}
	var set struct{ Keys []map[string]string }
	must(w.t, json.Unmarshal([]byte(got.body), &set))
	byID := map[string]map[string]string{}
	for _, k := range set.Keys {
		byID[k["kid"]] = k
	}
	return byID
}

func decoded(t testing.TB, segment string) []byte {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(segment)
	must(t, err)
	return text
}

// asserted verifies the assertion that an upstream was sent with what the site
// publishes, and returns its claims.
func (w *world) asserted(r *http.Request) map[string]any {
	w.t.Helper()
	values := r.Header["X-Auth-Assertion"]
	if len(values) != 1 {
		w.t.Fatalf("the upstream was sent %q", values)
	}
	s := strings.Split(values[0], ".")
	var head map[string]string
	must(w.t, json.Unmarshal(decoded(w.t, s[0]), &head))
	key := ed25519.PublicKey(decoded(w.t, w.jwks()[head["kid"]]["x"]))
	if head["alg"] != "EdDSA" || !ed25519.Verify(key, []byte(s[0]+"."+s[1]), decoded(w.t, s[2])) {
		w.t.Fatalf("the signature does not verify: %v", head)
	}
	var claims map[string]any
	must(w.t, json.Unmarshal(decoded(w.t, s[1]), &claims))
	return claims
}

func TestTheUpstreamIsToldInAFormThatItCanVerify(t *testing.T) {
	w := asserting(t)
	before := w.now().Unix()
	r := get("/v1/orders/zo%C3%AB?secret=1", asAnn)
	r.Host = "API.Example.com:8443"
	got := w.do(r)
	wantForwarded(t, got, annID)
	claims := w.asserted(got.forwarded)
	exp, iat := claims["exp"].(float64), claims["iat"].(float64)
	if iat < float64(before) || exp != iat+60 {
		t.Errorf("iat %v, exp %v", iat, exp)
	}
	delete(claims, "exp")
	delete(claims, "iat")
	text, err := json.Marshal(claims)
	must(t, err)
	want := `{"aud":"orders","credential":"bearer:` + annToken + `","host":"api.example.com:8443","htm":"GET","iss":"gatehouse:default",` +
		`"path":"/v1/orders/zo%C3%AB","roles":["user"],"sub":"` + annID + `","username":"ann"}`
	if string(text) != want {
		t.Errorf("claims %s\nwant   %s", text, want)
	}
}

func TestAScopeATenantAndAKeyAreAsserted(t *testing.T) {
	w := asserting(t)
	w.addKey("planted-key-of-acme-0001", store.Key{Account: annID, Tenant: "t-1", Scopes: auth.Scope{"orders", "stock"}})
	got := w.do(get("/x", "X-Api-Key: planted-key-of-acme-0001"))
	wantForwarded(t, got, annID)
	claims := w.asserted(got.forwarded)
	if claims["tenant"] != "t-1" || claims["scope"] != "orders stock" || !strings.HasPrefix(claims["credential"].(string), "api_key:") {
		t.Errorf("claims are %v", claims)
	}
}

// TestH01AnAssertionOfAClientIsRemoved in every spelling, also where none of
// ours takes its place.
func TestH01AnAssertionOfAClientIsRemoved(t *testing.T) {
	spellings := []string{"X-Auth-Assertion", "x-auth-assertion", "X_Auth_Assertion", "X-AUTH_assertion", "X.Auth.Assertion", "X-Own-Proof", "x_own_proof", "X.Own-PROOF"}
	for _, field := range []string{"", "X-Own-Proof"} {
		w := asserting(t, func(c *gateway.Config) { c.Assertion.Field = field })
		for _, c := range []struct {
			target string
			line   string
			ours   int
		}{{"/x", asAnn, 1}, {"/docs/x", "Accept: */*", 0}, {"/docs/x", asNobody, 0}} {
			for _, name := range spellings {
				r := get(c.target, c.line, "Connection: close, "+name)
				r.Header[name] = []string{"forged", "forged again"} // as it came, not in canonical form
				got := w.do(r)
				wantForwarded(t, got, map[bool]string{true: annID}[c.ours == 1])
				n := 0
				for header, values := range got.forwarded.Header {
					if strings.Contains(strings.Join(values, " "), "forged") && (field != "" || strings.HasPrefix(strings.ToLower(header), "x-auth") || strings.Contains(strings.ToLower(header), "assertion")) {
						t.Errorf("field %q: %s of the client reached the upstream", field, header)
					}
					if header == "Connection" && strings.Contains(strings.Join(values, ","), "ssertion") {
						t.Errorf("Connection is %q", values)
					}
					if strings.Contains(strings.ToLower(header), "assertion") || header == "X-Own-Proof" && field != "" {
						n++
					}
				}
				if n != c.ours {
					t.Errorf("field %q, %s as %s: the upstream got %d assertions, want %d: %v", field, c.target, c.line, n, c.ours, got.forwarded.Header)
				}
			}
		}
	}
}

func TestAnAssertionServesOneMethodHostPathAndCaller(t *testing.T) {
	w := asserting(t)
	first := func(r *http.Request) string {
		t.Helper()
		got := w.do(r)
		if got.forwarded == nil {
			t.Fatalf("refused: %v", got.body)
		}
		return got.forwarded.Header.Get("X-Auth-Assertion")
	}
	w.settle()
	base := first(get("/x", asAnn))
	if first(get("/x?other=query", asAnn)) != base || first(get("/x", asAnn)) != base {
		t.Error("it is made anew for each request")
	}
	otherHost := get("/x", asAnn)
	otherHost.Host = "other.example.com"
	for name, r := range map[string]*http.Request{
		"another method": request(http.MethodPost, "/x", asAnn), "another host": otherHost, "another path": get("/X", asAnn),
		"another spelling of a path": get("/%78", asAnn), "another caller": get("/x", asBob), "another credential": get("/x", "X-Api-Key: "+annKey),
	} {
		if first(r) == base {
			t.Errorf("%s is told the same", name)
		}
	}
}

// TestAnEmptyPathIsAssertedAsItIsForwarded: of an absolute target without one.
func TestAnEmptyPathIsAssertedAsItIsForwarded(t *testing.T) {
	w := asserting(t)
	r := get("/", asAnn)
	r.RequestURI, r.URL.Path = "http://api.example.com", ""
	got := w.do(r)
	wantForwarded(t, got, annID)
	if path := w.asserted(got.forwarded)["path"]; path != "/" {
		t.Errorf("the path is %q", path)
	}
}

// settle waits until verdicts are cached.
func (w *world) settle() {
	w.t.Helper()
	for range 1000 {
		w.do(get("/settle", asAnn))
		if w.rt.Resolver.Stats().Hits > 0 {
			return
		}
	}
	w.t.Fatal("no verdict is cached")
}

func TestAnAssertionIsMadeAnewWhenATenthOfItsLifeIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // begins with a whole second
		w := asserting(t, func(c *gateway.Config) { c.Assertion.TTL = 20 * time.Second })
		synctest.Wait()
		w.settle()
		told := func() string { return w.do(get("/x", asAnn)).forwarded.Header.Get("X-Auth-Assertion") }
		base := told()
		<-time.After(18*time.Second - 1)
		if told() != base {
			t.Error("made anew before its time")
		}
		<-time.After(1)
		if told() == base {
			t.Error("it serves although a tenth of its life is left")
		}
	})
}

// TestWhatChangedOfACallerIsAssertedAtOnce: no assertion from before serves.
func TestWhatChangedOfACallerIsAssertedAtOnce(t *testing.T) {
	w := asserting(t)
	w.settle()
	for _, roles := range [][]string{{"user"}, {"admin"}, nil} {
		w.changeAccount(annID, func(a *store.Account) { a.Roles = roles })
		got := w.do(get("/x", asAnn))
		wantForwarded(t, got, annID)
		list, _ := w.asserted(got.forwarded)["roles"].([]any)
		if len(list) != len(roles) || len(roles) > 0 && list[0] != roles[0] {
			t.Errorf("asserted are %v, want %v", list, roles)
		}
	}
	w.revoke(annToken)
	if got := w.do(get("/x", asAnn)); got.forwarded != nil {
		t.Error("a revoked token passed")
	}
}

func TestNobodyIsAssertedWhereNobodyCalls(t *testing.T) {
	for _, observe := range []bool{false, true} {
		w := asserting(t, func(c *gateway.Config) { c.Observe = observe })
		for _, r := range []*http.Request{get("/docs/x"), get("/docs/x", asNobody), get("/x"), get("/x", asNobody)} {
			got := w.do(r)
			if got.forwarded == nil && (observe || r.URL.Path != "/x") {
				t.Errorf("observe %v: %s is refused: %s", observe, r.URL, got.body)
			}
			if got.forwarded != nil && got.forwarded.Header["X-Auth-Assertion"] != nil {
				t.Errorf("observe %v: %s is told of somebody", observe, r.URL)
			}
		}
		got := w.do(get("/x", asAnn))
		if got.forwarded == nil || got.forwarded.Header["X-Auth-Assertion"] == nil {
			t.Errorf("observe %v: ann is not asserted", observe)
		}
		if got = w.do(get("/docs/x", asAnn)); got.forwarded.Header["X-Auth-Assertion"] == nil {
			t.Errorf("observe %v: ann is not asserted on a public path", observe)
		}
	}
}

// faultySigning cannot be asked for signing keys.
type faultySigning struct{ signingRows }

type signingRows = store.SigningKeys // whose method has its name

func (faultySigning) SigningKeys(ctx context.Context) ([]store.SigningKey, error) {
	return nil, down(ctx)
}

// TestWhatCannotBeSignedIsNotForwarded, and the fault is ours.
func TestWhatCannotBeSignedIsNotForwarded(t *testing.T) {
	w := newWorldOn(t, asserting(t), func(s *store.Store) { s.SigningKeys = faultySigning{s.SigningKeys} })
	w.site = w.newSite(gateway.Config{Assertion: &gateway.Assertion{Audience: []string{"orders"}}})
	w.site.Bind(w.rt)
	got := w.do(get("/x", asAnn))
	if got.forwarded != nil || got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("answered %d", got.StatusCode)
	}
	w.wantReason(gateway.Refused, auth.ReasonStore)
	if got := w.do(get(gateway.JWKSPath)); got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the keys: %d, %v", got.StatusCode, got.Header)
	}
}

func TestALongPathIsRefusedWhereItIsAsserted(t *testing.T) {
	w := asserting(t)
	if got := w.do(get("/"+strings.Repeat("x", 5000), asAnn)); got.forwarded != nil || got.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d", got.StatusCode)
	}
}

func TestAnAssertionThatCannotBeIsRefused(t *testing.T) {
	audience := []string{"orders"}
	for name, cfg := range map[string]gateway.Config{
		"without an audience":              {Assertion: &gateway.Assertion{}},
		"with an empty audience":           {Assertion: &gateway.Assertion{Audience: []string{""}}},
		"with a space in it":               {Assertion: &gateway.Assertion{Audience: []string{"a b"}}},
		"with an audience twice":           {Assertion: &gateway.Assertion{Audience: []string{"a", "a"}}},
		"living for more than a minute":    {Assertion: &gateway.Assertion{Audience: audience, TTL: 61 * time.Second}},
		"living for too short":             {Assertion: &gateway.Assertion{Audience: audience, TTL: 4 * time.Second}},
		"living for half a second":         {Assertion: &gateway.Assertion{Audience: audience, TTL: 10500 * time.Millisecond}},
		"in a field that carries another":  {Assertion: &gateway.Assertion{Audience: audience, Field: "x_auth_roles"}},
		"in the field of the credential":   {Assertion: &gateway.Assertion{Audience: audience, Field: "Authorization"}},
		"in the field of the key":          {Assertion: &gateway.Assertion{Audience: audience, Field: "X-Api-Key"}},
		"in a field that is no field":      {Assertion: &gateway.Assertion{Audience: audience, Field: "x y"}},
		"in a field of the proxy":          {Assertion: &gateway.Assertion{Audience: audience, Field: "X-Forwarded-For"}},
		"in a field that is set otherwise": {Assertion: &gateway.Assertion{Audience: audience, Field: "X-Own"}, Fields: []gateway.Field{{Name: "X_Own", Value: "x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg.Accept = []bearer.Spec{{Kind: auth.Bearer}, {Kind: auth.APIKey}}
			if _, err := gateway.New(cfg); err == nil {
				t.Error("taken")
			}
		})
	}
}

// assertingRequest returns what the benchmark and the test of allocations send.
func assertingRequest(t testing.TB) (*world, *http.Request) {
	t.Helper()
	w := asserting(t, func(c *gateway.Config) {
		c.Hooks = gateway.Hooks{
			Attach: func(*http.Request, *authn.Verdict) {}, Count: func(gateway.Outcome, auth.Reason) {},
		}
	})
	w.settle()
	r := &http.Request{Method: http.MethodGet, Host: "api.example.com", URL: &url.URL{Path: "/orders/1"}, RequestURI: "/orders/1"}
	return w, r.WithContext(w.ctx)
}

// TestACachedAssertionTakesOneAllocation more than the same request without.
func TestACachedAssertionTakesOneAllocation(t *testing.T) {
	w, r := assertingRequest(t)
	plain := guarded(t)
	measure := func(site *gateway.Site, field string) float64 {
		h := make(http.Header, 16)
		return testing.AllocsPerRun(1000, func() {
			usualRequest(r, h, nil)
			if err := site.ServeHTTP(nil, r, through); err != nil || h[field] == nil {
				t.Fatal("refused")
			}
		})
	}
	with, without := measure(w.site, "X-Auth-Assertion"), measure(plain.site, "X-Auth-Subject")
	t.Logf("%v allocations with a cached assertion, %v without", with, without)
	if with-without > 1 || with > 4 {
		t.Errorf("an assertion adds %v allocations", with-without)
	}
}

// BenchmarkAssertedRequest is [BenchmarkGuardedRequest] with an assertion: one
// that serves for many requests, and one that is signed for each.
func BenchmarkAssertedRequest(b *testing.B) {
	b.Run("cached", func(b *testing.B) {
		w, r := assertingRequest(b)
		h := make(http.Header, 16)
		b.ReportAllocs()
		for b.Loop() {
			usualRequest(r, h, nil)
			if err := w.site.ServeHTTP(nil, r, through); err != nil || len(h["X-Auth-Assertion"]) == 0 {
				b.Fatal("refused")
			}
		}
	})
	b.Run("signed", func(b *testing.B) {
		w, r := assertingRequest(b)
		h := make(http.Header, 16)
		path := []byte("/orders/0000000000")
		b.ReportAllocs()
		for b.Loop() {
			usualRequest(r, h, nil)
			for i := len(path) - 1; ; i-- { // the next number
				if path[i]++; path[i] <= '9' {
					break
				}
				path[i] = '0'
			}
			r.URL.Path = string(path)
			r.RequestURI = r.URL.Path
			if err := w.site.ServeHTTP(nil, r, through); err != nil || len(h["X-Auth-Assertion"]) == 0 {
				b.Fatal("refused")
			}
		}
	})
}
