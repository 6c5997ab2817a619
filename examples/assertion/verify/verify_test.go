package verify

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var at = time.Date(2026, 2, 4, 10, 54, 37, 0, time.UTC)

// gateway signs as one does, and publishes its keys.
type gateway struct {
	*Verifier
	private ed25519.PrivateKey
	kid     string
	fetches atomic.Int64
	down    atomic.Bool
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{}
	g.rotate(t)
	g.Verifier = &Verifier{
		Keys:   &KeySet{URL: "http://gateway.test/.well-known/jwks.json", Client: &http.Client{Transport: g}},
		Issuer: "gatehouse:default", Audience: "orders", Now: func() time.Time { return at },
	}
	return g
}

// rotate makes a new key and forgets the old one.
func (g *gateway) rotate(t *testing.T) {
	t.Helper()
	var err error
	if _, g.private, err = ed25519.GenerateKey(nil); err != nil {
		t.Fatal(err)
	}
	g.kid = fmt.Sprintf("%x", g.public()[:4])
}

func (g *gateway) public() ed25519.PublicKey { return g.private.Public().(ed25519.PublicKey) }

// RoundTrip answers a fetch without a network.
func (g *gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	g.fetches.Add(1)
	answer := httptest.NewRecorder()
	if g.down.Load() {
		answer.WriteHeader(http.StatusBadGateway)
		return answer.Result(), nil
	}
	_, _ = fmt.Fprintf(answer, `{"keys":[{"kty":"OKP","use":"sig","kid":%q,"alg":"EdDSA","crv":"Ed25519","x":%q},{"kty":"RSA","kid":"r","alg":"RS256","n":"AQ","e":"AQAB"}]}`,
		g.kid, base64.RawURLEncoding.EncodeToString(g.public()))
	return answer.Result(), nil
}

func (g *gateway) header() map[string]any {
	return map[string]any{"alg": algorithm, "kid": g.kid, "typ": typ}
}

func claims() map[string]any {
	return map[string]any{
		"iss": "gatehouse:default", "aud": "orders", "sub": "7d0c", "iat": at.Unix(), "exp": at.Unix() + 60,
		"htm": "GET", "host": "api.example.com", "path": "/v1/zo%C3%AB", "username": "zoë", "roles": []string{"a"},
		"credential": "bearer:1",
	}
}

func segment(v any) string {
	text, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text)
}

func (g *gateway) sign(head, body map[string]any) string {
	text := segment(head) + "." + segment(body)
	return text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(g.private, []byte(text)))
}

// request is the one that claims are about.
func request(assertions ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://API.example.com/v1/zo%C3%AB?x=1", http.NoBody)
	for _, a := range assertions {
		r.Header.Add("X-Auth-Assertion", a)
	}
	return r
}

func TestAGoodAssertionSaysWhoCalls(t *testing.T) {
	g := newGateway(t)
	c, err := g.Verify(request(g.sign(g.header(), claims())))
	if err != nil || c.Username != "zoë" || c.Subject != "7d0c" || len(c.Roles) != 1 {
		t.Fatalf("got %+v, %v", c, err)
	}
	several := claims()
	several["aud"] = []string{"stock", "orders"}
	if _, err := g.Verify(request(g.sign(g.header(), several))); err != nil {
		t.Errorf("one audience of several: %v", err)
	}
}

func TestWhatIsNotForThisRequestIsRefused(t *testing.T) {
	g := newGateway(t)
	for name, change := range map[string]func(head, body map[string]any){
		"another method":          func(_, c map[string]any) { c["htm"] = "POST" },
		"another host":            func(_, c map[string]any) { c["host"] = "other.example.com" },
		"another path":            func(_, c map[string]any) { c["path"] = "/v1" },
		"the path decoded":        func(_, c map[string]any) { c["path"] = "/v1/zoë" },
		"another audience":        func(_, c map[string]any) { c["aud"] = "stock" },
		"no audience":             func(_, c map[string]any) { delete(c, "aud") },
		"audiences without ours":  func(_, c map[string]any) { c["aud"] = []string{"stock", "order"} },
		"another issuer":          func(_, c map[string]any) { c["iss"] = "gatehouse:other" },
		"nobody":                  func(_, c map[string]any) { c["sub"] = "" },
		"the last minute":         func(_, c map[string]any) { c["iat"], c["exp"] = at.Unix()-70, at.Unix()-10 },
		"the next minute":         func(_, c map[string]any) { c["iat"], c["exp"] = at.Unix()+30, at.Unix()+90 },
		"an hour":                 func(_, c map[string]any) { c["exp"] = at.Unix() + 3600 },
		"ever":                    func(_, c map[string]any) { delete(c, "exp") },
		"an access token's type":  func(h, _ map[string]any) { h["typ"] = "at+jwt" },
		"no type":                 func(h, _ map[string]any) { delete(h, "typ") },
		"the algorithm none":      func(h, _ map[string]any) { h["alg"] = "none" },
		"a secret's algorithm":    func(h, _ map[string]any) { h["alg"] = "HS256" },
		"an unknown key":          func(h, _ map[string]any) { h["kid"] = "0" },
		"a key of another kind":   func(h, _ map[string]any) { h["kid"] = "r" },
		"a key of its own making": func(h, _ map[string]any) { h["kid"], h["jwk"] = "", map[string]any{"kty": "OKP"} },
	} {
		t.Run(name, func(t *testing.T) {
			head, body := g.header(), claims()
			change(head, body)
			if _, err := g.Verify(request(g.sign(head, body))); err == nil {
				t.Error("taken")
			}
		})
	}
}

func TestWhatWasNotSignedIsRefused(t *testing.T) {
	g := newGateway(t)
	good := g.sign(g.header(), claims())
	s := strings.Split(good, ".")
	mac := hmac.New(sha256.New, g.public())
	mac.Write([]byte(s[0] + "." + s[1]))
	for name, r := range map[string]*http.Request{
		"nothing":                    request(),
		"two of them":                request(good, good),
		"an empty one":               request(""),
		"a long one":                 request(good + strings.Repeat("A", maxLength)),
		"two segments":               request(s[0] + "." + s[1]),
		"no signature":               request(s[0] + "." + s[1] + "."),
		"other claims":               request(s[0] + "." + segment(map[string]any{"sub": "root"}) + "." + s[2]),
		"a MAC under the public key": request(s[0] + "." + s[1] + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))),
		"junk":                       request("a.b.c"),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := g.Verify(r); err == nil {
				t.Error("taken")
			}
		})
	}
}

func TestTheHandlerLetsOnlyGoodOnesPass(t *testing.T) {
	g := newGateway(t)
	h := g.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, From(r.Context()).Username) }))
	answer := func(r *http.Request) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	if status, body := answer(request(g.sign(g.header(), claims()))); status != http.StatusOK || body != "zoë" {
		t.Errorf("a good one: %d %s", status, body)
	}
	if status, _ := answer(request()); status != http.StatusUnauthorized {
		t.Errorf("none: %d", status)
	}
	fresh := newGateway(t)
	fresh.down.Store(true)
	h = fresh.Handler(http.NotFoundHandler())
	if status, _ := answer(request(fresh.sign(fresh.header(), claims()))); status != http.StatusServiceUnavailable {
		t.Errorf("without keys: %d", status)
	}
}

func TestKeysAreFetchedWhenTheyAreUnknownAndNotMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		verify := func() error { _, err := g.Verify(request(g.sign(g.header(), claims()))); return err }
		for range 10 {
			if err := verify(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 10 {
			head := g.header()
			head["kid"] = fmt.Sprint("made up ", i)
			if _, err := g.Verify(request(g.sign(head, claims()))); err == nil {
				t.Fatal("taken")
			}
		}
		if n := g.fetches.Load(); n != 1 {
			t.Errorf("fetched %d times", n)
		}
		<-time.After(keyPause)
		old := g.sign(g.header(), claims())
		g.rotate(t)
		if err := verify(); err != nil || g.fetches.Load() != 2 {
			t.Errorf("a new key: %v, fetched %d times", err, g.fetches.Load())
		}
		if _, err := g.Verify(request(old)); err == nil {
			t.Error("a key that is no longer published is taken")
		}
		<-time.After(keyAge)
		g.down.Store(true)
		if err := verify(); err != nil || g.fetches.Load() != 3 {
			t.Errorf("with the gateway out of reach: %v, fetched %d times", err, g.fetches.Load())
		}
		g.down.Store(false)
		old = g.sign(g.header(), claims())
		g.rotate(t)
		<-time.After(keyPause)
		if _, err := g.Verify(request(old)); err == nil {
			t.Error("an old set serves for ever")
		}
	})
}
