package caddymodule

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// outsideIssuer is an issuer of this machine, with metadata and one key.
type outsideIssuer struct {
	*httptest.Server
	private ed25519.PrivateKey
	asked   atomic.Int64 // for keys
	down    atomic.Bool
}

func newOutsideIssuer(t *testing.T) *outsideIssuer {
	t.Helper()
	o := &outsideIssuer{private: ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", ed25519.SeedSize)))}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case o.down.Load():
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/.well-known/openid-configuration":
			_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, o.URL, o.URL+"/keys")
		case r.URL.Path == "/keys":
			o.asked.Add(1)
			x := base64.RawURLEncoding.EncodeToString(o.private.Public().(ed25519.PublicKey))
			_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k1","use":"sig","x":%q}]}`, x)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *outsideIssuer) token(t *testing.T, change jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{
		"iss": o.URL, "sub": "8f3a", "aud": "api", "exp": time.Now().Add(time.Hour).Unix(), "jti": "t-9", "upn": "zoe",
		"groups": []string{"editor"},
	}
	for name, v := range change {
		claims[name] = v
	}
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["kid"] = "k1"
	text, err := token.SignedString(o.private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestWholeTrust(t *testing.T) {
	o := newOutsideIssuer(t)
	site := func(audience string) setting {
		return setting{sites: guardedSite(`
		login management
		trust ` + o.URL + ` {
			audience ` + audience + `
			claim username {claim.upn}
			claim roles {claim.groups}
		}
		require /admin/* {
			role admin
		}`)}
	}
	o.down.Store(true) // a gateway starts all the same
	w := startSetting(t, site("api"))
	w.ann()
	text := o.token(t, nil)

	w.run("what cannot be verified is nobody's fault outside", func(t *testing.T) {
		a := w.get("/x", bearerOf(text))
		w.refused(a, http.StatusServiceUnavailable)
		if a.header.Get("Retry-After") == "" {
			t.Errorf("no Retry-After: %v", a)
		}
		w.passed(w.get("/x", bearerOf(w.login(annName, annPassword))))
	})
	o.down.Store(false)

	w.run("a token passes as its caller and stays here", func(t *testing.T) {
		eventually(t, 10*time.Second, "the issuer is asked again", func() bool {
			return w.get("/x", bearerOf(text)).status == http.StatusOK
		})
		h := w.passed(w.get("/x", bearerOf(text), "X-Auth-Subject: ann", "X-Auth-Roles: admin")).Header
		for name, want := range map[string]string{
			"X-Auth-Subject": o.URL + "|8f3a", "X-Auth-Username": "zoe", "X-Auth-Roles": "editor", "X-Auth-Credential": "bearer:t-9", "Authorization": "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		w.refused(w.get("/admin/x", bearerOf(text)), http.StatusForbidden)
		w.passed(w.get("/admin/x", bearerOf(o.token(t, jwt.MapClaims{"groups": "admin"}))))
	})

	w.run("bad tokens are refused as any other", func(t *testing.T) {
		want := w.get("/x", bearerOf("nothing"))
		for _, bad := range []string{
			o.token(t, jwt.MapClaims{"aud": "other"}), o.token(t, jwt.MapClaims{"iss": o.URL + "/"}),
			o.token(t, jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()}), text + "A",
		} {
			a := w.get("/x", bearerOf(bad))
			w.refused(a, http.StatusUnauthorized)
			if a.body != want.body || a.header.Get("WWW-Authenticate") != want.header.Get("WWW-Authenticate") {
				t.Errorf("got %v, want %v", a, want)
			}
		}
	})

	w.run("a reload asks the issuer for nothing and trusts no more than it says", func(t *testing.T) {
		before := o.asked.Load()
		w.load(site("other"))
		w.refused(w.get("/x", bearerOf(text)), http.StatusUnauthorized)
		w.passed(w.get("/x", bearerOf(o.token(t, jwt.MapClaims{"aud": "other"}))))
		w.load(setting{sites: guardedSite("login management")})
		w.refused(w.get("/x", bearerOf(o.token(t, jwt.MapClaims{"aud": "other"}))), http.StatusUnauthorized)
		if n := o.asked.Load(); n != before {
			t.Errorf("asked %d times more", n-before)
		}
	})
}

func TestJSONOfTrustIsHeldToTheSameRules(t *testing.T) {
	const bearer = `"accept":[{"kind":"bearer"}]`
	for _, c := range []struct{ name, config, want string }{
		{"an issuer without audience", `{` + bearer + `,"trust":[{"issuer":"https://a.example"}]}`, "audience"},
		{"an issuer twice", `{` + bearer + `,"trust":[{"issuer":"https://a.example","audiences":["a"]},{"issuer":"https://a.example","audiences":["b"]}]}`, "twice"},
		{"an issuer where no bearer counts", `{"accept":[{"kind":"api_key"}],"trust":[{"issuer":"https://a.example","audiences":["a"]}]}`, "accept bearer"},
		{"an identity field that its tokens stand in", `{"trust":[{"issuer":"https://a.example","audiences":["a"]}],"identity":{"headers":[{"field":"Authorization","value":"a"}]}}`, "Authorization"},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			_, err := buildJSON(t, c.config)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one about %q", err, c.want)
			}
		})
	}
	built, err := buildJSON(t, `{"trust":[{"issuer":"https://a.example","audiences":["a"],"claims":{"roles":"{claim.groups}"}}]}`)
	if err != nil || len(built.Trust) != 1 {
		text, _ := json.Marshal(built.Trust)
		t.Errorf("got %s, %v", text, err)
	}
}
