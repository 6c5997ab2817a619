package oauth2_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/oauth2"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// recorder gives tokens to whoever asks, and remembers what it was asked.
type recorder struct {
	id        string
	spellings []string
	grants    []string // the scope, or the refresh token and the scope
}

func (r *recorder) Client(_ context.Context, id string, spellings ...auth.Secret) (session.Client, error) {
	r.id = id
	for _, s := range spellings {
		r.spellings = append(r.spellings, s.Reveal())
	}
	return session.Client{ID: id}, nil
}

func (r *recorder) ClientTokens(_ context.Context, _ session.Client, asked auth.Scope) (session.Tokens, error) {
	r.grants = append(r.grants, asked.String())
	return session.Tokens{Access: session.Issued{Token: auth.NewSecret("ght_A"), TTL: time.Hour}}, nil
}

func (r *recorder) RefreshTokens(ctx context.Context, c session.Client, refresh auth.Secret, asked auth.Scope) (session.Tokens, error) {
	r.grants = append(r.grants, refresh.Reveal())
	return r.ClientTokens(ctx, c, asked)
}

func (*recorder) Introspect(context.Context, session.Client, auth.Secret) (session.Introspection, error) {
	return session.Introspection{}, nil
}

func (*recorder) RevokeToken(context.Context, session.Client, auth.Secret) error { return nil }

func (*recorder) JWKS(context.Context) ([]byte, error) { return []byte(`{"keys":[]}`), nil }

// post sends a body to the token endpoint.
func post(t testing.TB, body []byte, authorization string) (*httptest.ResponseRecorder, *recorder) {
	t.Helper()
	s := &recorder{}
	d, err := oauth2.New(dialect.Config{Base: "/oauth2"}, s)
	must(t, err)
	r := httptest.NewRequest(http.MethodPost, "/oauth2/token", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w, s
}

// Whatever comes, the answer is one of RFC 6749, whole, and a token is given
// exactly if the body reads one way: as net/url reads it too.
func FuzzToken(f *testing.F) {
	for _, body := range []string{
		"grant_type=client_credentials", "grant_type=client_credentials&scope=a+b&client_id=7&client_secret=x",
		"grant_type=refresh_token&refresh_token=ght_B", "grant_type=x", "", "&", "=", "%", "a=b;c=d", "grant_type=client_credentials&grant_type=",
		"grant_type=client_credentials&resource=a&resource=b", "scope=%00&grant_type=client_credentials", "\xff=\xfe",
	} {
		f.Add([]byte(body), "Basic Nzp4")
		f.Add([]byte(body), "")
	}
	f.Fuzz(func(t *testing.T, body []byte, authorization string) {
		w, s := post(t, body, authorization)
		if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("Content-Type") != "application/json" {
			t.Fatalf("fields %v", w.Header())
		}
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("answered %q: %v", w.Body, err)
		}
		if w.Code != http.StatusOK {
			checkRefused(t, w, answer, s)
			return
		}
		values, err := url.ParseQuery(strings.ReplaceAll(string(body), ";", "%3B")) // which net/url refuses as a separator
		if err != nil || !utf8.Valid(body) || len(s.grants) == 0 || len(s.spellings) == 0 {
			t.Fatalf("a token for %q (%v) of client %q %q", body, err, s.id, s.spellings)
		}
		for name, list := range values {
			if len(list) > 1 && name != "resource" {
				t.Fatalf("a token although %q stands twice", name)
			}
		}
		if grant := values.Get("grant_type"); grant == "refresh_token" && s.grants[0] != values.Get("refresh_token") ||
			grant != "refresh_token" && grant != "client_credentials" {
			t.Fatalf("grant %q gave %q", grant, s.grants)
		}
	})
}

func checkRefused(t *testing.T, w *httptest.ResponseRecorder, answer map[string]any, s *recorder) {
	t.Helper()
	known := map[int][]string{
		400: {"invalid_request", "invalid_scope", "unsupported_grant_type"}, 401: {"invalid_client"}, 413: {"invalid_request"},
	}
	code, _ := answer["error"].(string)
	if !slices.Contains(known[w.Code], code) || answer["error_description"] == "" || len(s.grants) > 0 {
		t.Fatalf("%d %s, and the service was asked for %q", w.Code, w.Body, s.grants)
	}
	if (w.Code == http.StatusUnauthorized) != (w.Header().Get("WWW-Authenticate") != "") {
		t.Fatalf("%d with the challenge %q", w.Code, w.Header().Get("WWW-Authenticate"))
	}
}

// What a client says by Basic is what the service is asked, encoded or not,
// and the same as in the body.
func FuzzClientCredentials(f *testing.F) {
	f.Add("7", "api_key0of0the0client00")
	f.Add("7", "hDn/LFXIPESM036W+s7VKg==")
	f.Add("", "")
	f.Add("7", "100%")
	f.Add("%37", "a:b")
	f.Fuzz(func(t *testing.T, id, secret string) {
		const grant = "grant_type=client_credentials"
		if !utf8.ValidString(id) || !utf8.ValidString(secret) || len(id)+len(secret) > 8<<10 {
			return
		}
		basic := func(id, secret string) string {
			return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
		}
		_, encoded := post(t, []byte(grant), basic(url.QueryEscape(id), url.QueryEscape(secret)))
		if encoded.id != id || !slices.Contains(encoded.spellings, secret) || len(encoded.spellings) > 2 {
			t.Fatalf("encoded %q %q is %q %q", id, secret, encoded.id, encoded.spellings)
		}
		if !strings.ContainsAny(id, ":%+") {
			if _, plain := post(t, []byte(grant), basic(id, secret)); plain.id != id || plain.spellings[0] != secret {
				t.Fatalf("plain %q %q is %q %q", id, secret, plain.id, plain.spellings)
			}
		}
		if id == "" || secret == "" {
			return
		}
		_, body := post(t, []byte(grant+"&"+url.Values{"client_id": {id}, "client_secret": {secret}}.Encode()), "")
		if body.id != id || !slices.Equal(body.spellings, []string{secret}) {
			t.Fatalf("in the body %q %q is %q %q", id, secret, body.id, body.spellings)
		}
	})
}

// A scope is what is asked for, each name once, or an error.
func FuzzScope(f *testing.F) {
	for _, text := range []string{"a", "a b", " a  a ", "a,b", "*", `"`, "é", "a\tb", strings.Repeat("x", 200)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		w, s := post(t, []byte("grant_type=client_credentials&"+url.Values{"scope": {text}}.Encode()), "Basic Nzp4")
		if w.Code != http.StatusOK {
			return
		}
		got := strings.Fields(s.grants[0])
		for i, name := range got {
			if !auth.ValidName(name) || slices.Contains(got[:i], name) || !slices.Contains(strings.Split(text, " "), name) {
				t.Fatalf("%q is %q", text, got)
			}
		}
		for _, name := range strings.Split(text, " ") {
			if name != "" && !slices.Contains(got, name) {
				t.Fatalf("%q is %q", text, got)
			}
		}
	})
}
