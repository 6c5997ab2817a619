package management

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestTranscripts(t *testing.T) { dialecttest.Replay(t, build) }

func TestFailedLoginsReadAlike(t *testing.T) {
	for _, file := range []string{"login_failed", "login_failure_200"} {
		responses := map[string]string{}
		for _, e := range dialecttest.Load(t, filepath.Join("testdata", file+".txtar")).Exchanges {
			if strings.HasPrefix(e.Outcome, "login invalid_credential") {
				responses[e.Name] = e.Response
			}
		}
		if len(responses) < 3 {
			t.Fatalf("%s shows %d failed logins, want an unknown account, a wrong password and a disabled account", file, len(responses))
		}
		var first string
		for name := range maps.Keys(responses) {
			if first == "" {
				first = responses[name]
			}
			if responses[name] != first {
				t.Errorf("%s: %q is answered\n%s\nand another failure\n%s", file, name, responses[name], first)
			}
		}
	}
}

// TestNoTranscriptShowsACause plants a text in every error of the service.
func TestEveryAnswerHasABodyAndNoCause(t *testing.T) {
	for _, path := range dialecttest.Files(t) {
		for _, e := range dialecttest.Load(t, path).Exchanges {
			if strings.Contains(e.Response, "secret detail") {
				t.Errorf("%s: %q shows the cause of a failure", path, e.Name)
			}
			if _, body, _ := strings.Cut(e.Response, "\n\n"); body == "" && !bodyless(e) {
				t.Errorf("%s: %q has no body", path, e.Name)
			}
			if !strings.Contains(e.Response, "Cache-Control: no-store\n") {
				t.Errorf("%s: %q may be cached", path, e.Name)
			}
		}
	}
}

// bodyless reports whether HTTP itself leaves the body of an answer out.
func bodyless(e dialecttest.Exchange) bool {
	return strings.HasPrefix(e.Response, "HTTP/1.1 204") || strings.HasPrefix(e.Request, "HEAD ")
}

func TestEveryCodeHasAStatusOfItsClass(t *testing.T) {
	want := map[auth.Code]int{
		auth.Internal: 500, auth.Unavailable: 503, auth.Malformed: 400, auth.NoCredential: 401, auth.InvalidCredential: 401,
		auth.InsufficientScope: 403, auth.Throttled: 429, auth.Conflict: 409, auth.NotFound: 404,
	}
	for _, code := range auth.Codes() {
		if got := judge(&auth.Error{Code: code}).status; got != want[code] {
			t.Errorf("%s is %d, want %d", code, got, want[code])
		}
	}
}

func TestLogoutRevokesTheToken(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		want   string
	}{
		{"of a Bearer", http.Header{"Authorization": {"Bearer abc"}}, `["abc"]`},
		{"of a Bearer beside a key", http.Header{"Authorization": {"Bearer abc"}, "X-Api-Key": {"api_x"}}, `["abc"]`},
		{"of nobody for a key alone", http.Header{"X-Api-Key": {"api_x"}}, "[]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, "")
			r := httptest.NewRequest("POST", "/v1/auth/logout", nil)
			r.Header = tt.header
			w := httptest.NewRecorder()
			newAPI(t, "", f).ServeHTTP(w, r)
			if w.Code != 200 || fmt.Sprintf("%q", f.revoked) != tt.want {
				t.Errorf("status %d, revoked %q, want %s", w.Code, f.revoked, tt.want)
			}
		})
	}
}

func TestBadBodiesNeverReachTheService(t *testing.T) {
	for _, body := range []string{`{}`, `[]`, `{"username":"a"}`, `{"username":"a","password":null}`, `{"username":"a","password":"b"}{}`} {
		f := newFake(t, "")
		r := httptest.NewRequest("POST", "/v1/auth/login", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		newAPI(t, "", f).ServeHTTP(httptest.NewRecorder(), r)
		if len(f.logins) != 0 {
			t.Errorf("%s was tried as %v", body, f.logins)
		}
	}
}

func TestPasswordsArriveVerbatim(t *testing.T) {
	f := newFake(t, "")
	r := httptest.NewRequest("POST", "/v1/auth/login", strings.NewReader(`{"PassWord":" p\u0000\ud83d\ude00é ","USERNAME":"Alice "}`))
	r.Header.Set("Content-Type", "text/json; charset=us-ascii")
	newAPI(t, "", f).ServeHTTP(httptest.NewRecorder(), r)
	if want := "[Alice : p\x00😀é ]"; fmt.Sprint(f.logins) != want {
		t.Errorf("logins %q, want %q", f.logins, want)
	}
}

func TestVectorsNeverLogIn(t *testing.T) {
	dir := os.Getenv("GATEHOUSE_CORPORA")
	if dir == "" {
		t.Skip("GATEHOUSE_CORPORA is not set: the JSONTestSuite vectors are not replayed")
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "JSONTestSuite", "test_parsing", "n_*.json"))
	if len(paths) == 0 {
		t.Fatal("no vectors")
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/v1/auth/login", strings.NewReader(string(body)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		newAPI(t, "", newFake(t, "")).ServeHTTP(w, r)
		if w.Code != 400 && w.Code != 413 {
			t.Errorf("%s is answered %d", filepath.Base(path), w.Code)
		}
	}
}

func TestKind(t *testing.T) {
	k := Kind()
	if k.Name != "management" || k.Base != "/v1/auth" || k.TTL != 30*time.Minute {
		t.Errorf("Kind = %s at %s for %v", k.Name, k.Base, k.TTL)
	}
	var s session.Config
	k.Session(dialect.Config{}, &s)
	if a, b := s.Form([16]byte{1}), s.Form([16]byte{2}); a == b || len(a) != 22 {
		t.Errorf("tokens look like %q and %q", a, b)
	}
	for _, spec := range k.Credentials(dialect.Config{Options: map[string][]string{"key_header": {"x-licence-key"}}}) {
		if err := spec.Check(); err != nil {
			t.Error(err)
		}
		if spec.Kind == auth.APIKey && spec.Name != "x-licence-key" {
			t.Errorf("the key is read from %s", spec.Name)
		}
	}
	var _ Service = (*session.Service)(nil)
}

func TestOptionsRefuseWhatTheyCannotMean(t *testing.T) {
	bad := map[string][][]string{
		"login_requires_key":   {{"yes"}},
		"login_failure_status": {{}, {"403"}, {"200", "401"}},
		"credentials":          {{}, {"neither"}, {"both", "either"}},
		"key_header":           {{}, {"a", "b"}, {"a b"}, {"Authorization"}, {"X-Auth-Subject"}},
	}
	for _, o := range Kind().Options {
		if len(bad[o.Name]) == 0 {
			t.Errorf("%s is not tried", o.Name)
		}
		for _, args := range bad[o.Name] {
			if o.Check(args) == nil {
				t.Errorf("%s %q passed", o.Name, args)
			}
		}
	}
}

func TestRoutes(t *testing.T) {
	a := newAPI(t, "base /api/auth", newFake(t, ""))
	if r := a.Routes(); len(r) != 1 || r[0] != (dialect.Route{Path: "/api/auth", Fold: true}) {
		t.Errorf("Routes = %v", r)
	}
	for path, want := range map[string]string{
		"/api/auth/login": "/login", "/API/Auth/Login/": "/login", "/api/auth": "", "/api/author/login": "or/login", "/v1/auth/login": "",
		"/api/auth/\u212aey": "/\u212aey",
	} {
		if got := a.below(path); got != want {
			t.Errorf("below(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestBadOriginsAreRefusedAtTheStart(t *testing.T) {
	if _, err := New(dialect.Config{Base: Kind().Base, CORS: []string{"null"}}, newFake(t, "")); err == nil {
		t.Error("the origin null passed")
	}
}

func TestTraceIDsDiffer(t *testing.T) {
	d, err := New(dialect.Config{Base: Kind().Base}, newFake(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	first, second := d.(*api).trace(), d.(*api).trace()
	if first == second {
		t.Error("two answers share a trace id")
	}
}

func TestEarlyDataIsSentBack(t *testing.T) {
	f := newFake(t, "")
	r := httptest.NewRequest("POST", "/v1/auth/login", strings.NewReader(`{"username":"a","password":"b"}`))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Early-Data", "1")
	w := httptest.NewRecorder()
	newAPI(t, "", f).ServeHTTP(w, r)
	if w.Code != http.StatusTooEarly || len(f.logins) != 0 {
		t.Errorf("status %d, logins %v", w.Code, f.logins)
	}
}
