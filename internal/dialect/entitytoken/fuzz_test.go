package entitytoken_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/entitytoken"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// recorder lets everyone do everything, and remembers what it was.
type recorder struct {
	places    [][2]string
	changes   []session.EntityTokenChange
	refreshed []string
	made      int
}

func (r *recorder) EntityPlace(_ context.Context, _ bearer.Credential, entity, user string) (session.Place, error) {
	r.places = append(r.places, [2]string{entity, user})
	return session.Place{}, nil
}

func (r *recorder) EntityToken(context.Context, session.Place) (session.EntityToken, error) {
	return session.EntityToken{Token: auth.NewSecret("ght_current")}, nil
}

func (r *recorder) CreateEntityToken(context.Context, session.Place) (session.EntityToken, error) {
	r.made++
	return session.EntityToken{Token: auth.NewSecret("ght_new")}, nil
}

func (r *recorder) ChangeEntityToken(_ context.Context, _ session.Place, c session.EntityTokenChange) error {
	r.changes = append(r.changes, c)
	return nil
}

func (r *recorder) RefreshEntityToken(_ context.Context, _ session.Place, old string) (session.EntityToken, error) {
	r.refreshed = append(r.refreshed, old)
	return session.EntityToken{Token: auth.NewSecret("ght_next")}, nil
}

func (r *recorder) DeleteEntityToken(context.Context, session.Place) error { return nil }

// calls is how many bodies led to anything.
func (r *recorder) calls() int { return len(r.changes) + len(r.refreshed) + r.made }

const tokenPath = "/entities/acme/users/ann/authentication-token"

// do makes a call as ann and returns the answer, read as a client would.
func do(t testing.TB, s entitytoken.Service, method, path string, body []byte) (int, map[string]any) {
	t.Helper()
	d, err := entitytoken.New(dialect.Config{Base: "/entities"}, s)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, "/", bytes.NewReader(body))
	r.URL.Path = path
	r.Header = http.Header{"Apikey": {"k"}, "Userid": {"ann"}, "Token": {"t"}, "Content-Type": {"application/json"}}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	if h := w.Header(); h.Get("Content-Type") != "application/json; charset=utf-8" || h.Get("Cache-Control") != "no-store" {
		t.Fatalf("fields %v", h)
	}
	text, err := io.ReadAll(w.Result().Body)
	var answer map[string]any
	if err != nil || json.Unmarshal(text, &answer) != nil {
		t.Fatalf("answered %q (%v)", text, err)
	}
	success, _ := answer["success"].(bool)
	problem, _ := answer["error"].(string)
	if success != (w.Code < 300) || (problem == "") != success {
		t.Fatalf("%d %s", w.Code, text)
	}
	return w.Code, answer
}

// Whatever comes, the body is refused with 400 and asks nothing of the service,
// or asks it for one thing within the bounds.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `[]`, `{"expiry":"2026-08-24T14:15:22Z","flags":["a"]}`, `{"expiry":"2026-08-24t14:15:22.5+05:30"}`,
		`{"flags":["` + strings.Repeat("é", 129) + `"]}`, `{"authenticationToken":"ght_current"}`, `{"authenticationToken":null}`, `{"a":1}{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, call := range [][2]string{
			{http.MethodPatch, tokenPath}, {http.MethodPost, tokenPath}, {http.MethodPost, tokenPath + "/refresh"},
		} {
			s := &recorder{}
			status, _ := do(t, s, call[0], call[1], body)
			refused := status == http.StatusBadRequest || status == http.StatusRequestEntityTooLarge && len(body) > dialect.DefaultMaxBody
			if refused == (s.calls() == 1) || s.calls() > 1 || !refused && status >= 300 {
				t.Fatalf("%s is answered %d, the service asked %+v", call, status, s)
			}
			for _, c := range s.changes {
				checkChange(t, c, body)
			}
			for _, old := range s.refreshed {
				if old != "" && !json.Valid(body) {
					t.Fatalf("refreshes %q", old)
				}
			}
		}
	})
}

// checkChange makes sure that a change is within bounds, and that the same
// said again is the same.
func checkChange(t *testing.T, c session.EntityTokenChange, body []byte) {
	t.Helper()
	again := map[string]any{}
	if c.Flags != nil {
		for _, f := range *c.Flags {
			if utf8.RuneCountInString(f) > 128 || !utf8.ValidString(f) || strings.ContainsRune(f, 0) {
				t.Fatalf("flag %q", f)
			}
		}
		if len(*c.Flags) > 64 {
			t.Fatalf("%d flags", len(*c.Flags))
		}
		again["flags"] = *c.Flags
	}
	if c.Expires != nil {
		if c.Expires.Location() != time.UTC {
			t.Fatalf("%v is not UTC", c.Expires)
		}
		if y := c.Expires.Year(); y < 0 || y > 9999 {
			return // an offset led out of what can be written
		}
		again["expiry"] = c.Expires.Format(time.RFC3339Nano)
	}
	text, err := json.Marshal(again)
	if err != nil {
		t.Fatal(err)
	}
	s := &recorder{}
	do(t, s, http.MethodPatch, tokenPath, text)
	if len(s.changes) != 1 || !sameChange(s.changes[0], c) {
		t.Fatalf("%s says %+v, and said again, as %s, %+v", body, c, text, s.changes)
	}
}

func sameChange(a, b session.EntityTokenChange) bool {
	if (a.Expires == nil) != (b.Expires == nil) || (a.Flags == nil) != (b.Flags == nil) {
		return false
	}
	return (a.Expires == nil || a.Expires.Equal(*b.Expires)) && (a.Flags == nil || slices.Equal(*a.Flags, *b.Flags))
}

// A path names one place, spelled as it is, or nothing.
func FuzzPaths(f *testing.F) {
	for _, seed := range []string{tokenPath, tokenPath + "/refresh", "/entities/Acme Ltd/users/a b/authentication-token", "/entities", "/entities/users/users/users/authentication-token", "/entities//users//authentication-token"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		s := &recorder{}
		status, _ := do(t, s, http.MethodPost, path, nil)
		if status == http.StatusNotFound {
			if len(s.places) != 0 {
				t.Fatalf("not found, but asked for %q", s.places)
			}
			return
		}
		if len(s.places) != 1 || s.places[0][0] == "" || s.places[0][1] == "" {
			t.Fatalf("%d, asked for %q", status, s.places)
		}
		again := "/entities/" + s.places[0][0] + "/users/" + s.places[0][1] + "/authentication-token"
		if path != again && path != again+"/refresh" {
			t.Fatalf("%q was read as %q", path, again)
		}
	})
}

func TestAsManyFlagsAsMayBe(t *testing.T) {
	flags := slices.Repeat([]string{strings.Repeat("é", 128)}, 64)
	body, err := json.Marshal(map[string]any{"flags": flags})
	if err != nil {
		t.Fatal(err)
	}
	s := &recorder{}
	if status, _ := do(t, s, http.MethodPatch, tokenPath, body); status != http.StatusOK || len(s.changes) != 1 || !slices.Equal(*s.changes[0].Flags, flags) {
		t.Errorf("%d, %d changes", status, len(s.changes))
	}
}

// What is no JSON asks for nothing.
func TestJSONTestSuiteAsksForNothing(t *testing.T) {
	root := os.Getenv("GATEHOUSE_CORPORA")
	if root == "" {
		t.Skip("GATEHOUSE_CORPORA is not set: JSONTestSuite is not replayed")
	}
	paths, err := filepath.Glob(filepath.Join(root, "JSONTestSuite", "test_parsing", "n_*.json"))
	if err != nil || len(paths) < 100 {
		t.Fatalf("only %d vectors found, %v", len(paths), err)
	}
	for _, path := range paths {
		body, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if dialect.Blank(body) {
			continue // no body at all is fine here
		}
		s := &recorder{}
		status, _ := do(t, s, http.MethodPatch, tokenPath, body)
		if s.calls() != 0 || status != http.StatusBadRequest && status != http.StatusRequestEntityTooLarge {
			t.Errorf("%s is answered %d", filepath.Base(path), status)
		}
	}
}
