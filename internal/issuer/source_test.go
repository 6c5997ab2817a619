package issuer

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// fetchFrom asks a real server of this machine.
func fetchFrom(t *testing.T, h http.HandlerFunc, jwks string) (*set, error) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s := Source{Issuer: server.URL + "/one"}
	if jwks != "" {
		s.JWKS = server.URL + jwks
	}
	return s.fetch(t.Context(), newClient(), start)
}

func TestWhereKeysAreFound(t *testing.T) {
	jwk := jsonOf(t, newSigner(t, "k1", "ES256").jwk(t))
	keys := `{"keys":[` + string(jwk) + `]}`
	metadata := func(r *http.Request) string {
		return fmt.Sprintf(`{"issuer":"http://%s/one","jwks_uri":"http://%s/keys"}`, r.Host, r.Host)
	}
	for name, c := range map[string]struct {
		jwks string
		h    http.HandlerFunc
	}{
		"at the address that is configured": {"/keys", func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprint(w, keys) }},
		"by OpenID Connect Discovery": {"", func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/one/.well-known/openid-configuration":
				_, _ = fmt.Fprint(w, metadata(r))
			case "/keys":
				_, _ = fmt.Fprint(w, keys)
			default:
				http.NotFound(w, r)
			}
		}},
		"by RFC 8414": {"", func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/.well-known/oauth-authorization-server/one":
				_, _ = fmt.Fprint(w, metadata(r))
			case "/keys":
				_, _ = fmt.Fprint(w, keys)
			default:
				http.NotFound(w, r)
			}
		}},
		"behind a redirect on the same host": {"/old", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/old" {
				http.Redirect(w, r, "/keys", http.StatusMovedPermanently)
				return
			}
			_, _ = fmt.Fprint(w, keys)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := fetchFrom(t, c.h, c.jwks)
			if err != nil || len(s.keys) != 1 || s.keys[0].id != "k1" {
				t.Errorf("got %v, %v", s, err)
			}
		})
	}
}

func TestWhatIsNoKeySet(t *testing.T) {
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer evil.Close()
	says := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, text) }
	}
	for name, h := range map[string]http.HandlerFunc{
		"an error": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"keys":[]}`, http.StatusInternalServerError)
		},
		"nothing":           says(""),
		"null":              says("null"),
		"a list":            says("[]"),
		"a page":            says("<html>"),
		"no keys":           says("{}"),
		"keys no list":      says(`{"keys":{}}`),
		"keys null":         says(`{"keys":null}`),
		"keys twice":        says(`{"keys":[],"keys":[]}`),
		"more behind":       says(`{"keys":[]}{}`),
		"not UTF-8":         says("{\"keys\":[\"\xff\"]}"),
		"too many":          says(`{"keys":[` + strings.Repeat("{},", maxKeys) + `{}]}`),
		"too long":          says(`{"keys":[]}` + strings.Repeat(" ", maxSet)),
		"too deep":          says(`{"keys":` + strings.Repeat("[", 100_000)),
		"without end":       func(w http.ResponseWriter, _ *http.Request) { endless(w) },
		"a redirect abroad": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL, http.StatusFound) },
		"a circle":          func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/keys", http.StatusFound) },
		"a cut connection":  func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a huge header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			_, _ = fmt.Fprint(w, `{"keys":[]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := fetchFrom(t, h, "/keys?secret=planted")
			if err == nil || s != nil {
				t.Fatalf("taken: %v", s)
			}
			if strings.Contains(err.Error(), "planted") || len(err.Error()) > 300 {
				t.Errorf("the error tells too much: %v", err)
			}
		})
	}
}

func endless(w http.ResponseWriter) {
	for {
		if _, err := w.Write(make([]byte, 1<<16)); err != nil {
			return
		}
	}
}

func TestWhatAreNoMetadata(t *testing.T) {
	for name, text := range map[string]string{
		"of another issuer":     `{"issuer":"http://HOST/two","jwks_uri":"http://HOST/keys"}`,
		"of a similar one":      `{"issuer":"http://HOST/one/","jwks_uri":"http://HOST/keys"}`,
		"without issuer":        `{"jwks_uri":"http://HOST/keys"}`,
		"without jwks_uri":      `{"issuer":"http://HOST/one"}`,
		"jwks_uri a list":       `{"issuer":"http://HOST/one","jwks_uri":["http://HOST/keys"]}`,
		"jwks_uri a file":       `{"issuer":"http://HOST/one","jwks_uri":"file:///etc/passwd"}`,
		"jwks_uri without TLS":  `{"issuer":"http://HOST/one","jwks_uri":"http://keys.example/keys"}`,
		"jwks_uri with a user":  `{"issuer":"http://HOST/one","jwks_uri":"http://a:b@HOST/keys"}`,
		"jwks_uri relative":     `{"issuer":"http://HOST/one","jwks_uri":"/keys"}`,
		"issuer twice":          `{"issuer":"http://HOST/one","issuer":"http://HOST/one","jwks_uri":"http://HOST/keys"}`,
		"names in another case": `{"Issuer":"http://HOST/one","JWKS_URI":"http://HOST/keys"}`,
		"too long":              `{"issuer":"http://HOST/one","jwks_uri":"http://HOST/keys"}` + strings.Repeat(" ", maxMetadata),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fetchFrom(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/keys" {
					t.Error("its keys were asked for")
				}
				_, _ = fmt.Fprint(w, strings.ReplaceAll(text, "HOST", r.Host))
			}, "")
			if err == nil {
				t.Error("taken")
			}
		})
	}
}

// An issuer of the outside must not point us to a service of this machine.
func TestMetadataOfTheOutsideNameNoAddressOfThisMachine(t *testing.T) {
	w := newWorld(t)
	s := newSigner(t, "k1", "ES256")
	w.breakWith(func(r *http.Request) (*http.Response, error) {
		if r.URL.Host != "alpha.example" {
			t.Errorf("%s was asked", r.URL)
		}
		return answer(200, map[string]any{"issuer": alpha, "jwks_uri": "http://127.0.0.1:2019/config/"}), nil
	})
	w.unavailable(t, s.sign(t, s.header(), claims(alpha, nil)))
}
