package crmtoken_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/crmtoken"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

const opaque = "4AD9C84FA60F9FE407140E20F707726A"

// recorder grants whatever it is asked, and remembers what that was.
type recorder struct{ calls [][]string }

func (r *recorder) LoginTenant(_ context.Context, l session.TenantLogin) (session.Issued, error) {
	r.calls = append(r.calls, words(l))
	return session.Issued{Token: auth.NewSecret(opaque)}, nil
}

func (r *recorder) LoginTenantKey(_ context.Context, key auth.Secret, unit string) (session.Issued, error) {
	r.calls = append(r.calls, []string{"key", key.Reveal(), unit})
	return session.Issued{Token: auth.NewSecret(opaque)}, nil
}

func (r *recorder) Release(_ context.Context, token string) error {
	r.calls = append(r.calls, []string{"release", token})
	return nil
}

// post makes a call and returns the answer and what the service was asked.
func post(t testing.TB, path, contentType, authorization string, body []byte) (*http.Response, answer, [][]string) {
	t.Helper()
	s := &recorder{}
	d, err := crmtoken.New(dialect.Config{Base: "/authentication", Options: map[string][]string{"http_errors": {}}}, s)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/authentication"+path, bytes.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", authorization)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result(), read(t, w.Body.Bytes()), s.calls
}

// answer is what a client reads, with every member that must be there.
type answer struct {
	Status *struct {
		Code                 string
		Message, Description *string
	}
	Data *struct{ Token *string }
}

func read(t testing.TB, body []byte) (a answer) {
	t.Helper()
	in := json.NewDecoder(bytes.NewReader(body))
	in.DisallowUnknownFields()
	if err := in.Decode(&a); err != nil || in.More() || a.Status == nil || a.Data == nil {
		t.Fatalf("%s is not the envelope: %v", body, err)
	}
	if ok := a.Status.Code == "OK"; ok != (a.Status.Message == nil) || ok != (a.Status.Description == nil) {
		t.Fatalf("%s says a text where all is well, or none where it is not", body)
	}
	return a
}

// check holds an answer against what the service was asked: it was asked, once,
// exactly if the call succeeded.
func check(t testing.TB, body []byte, res *http.Response, a answer, calls [][]string, codes ...string) {
	t.Helper()
	if res.Header.Get("Content-Type") != "application/json;charset=UTF-8" || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("fields %v", res.Header)
	}
	switch res.StatusCode {
	case http.StatusOK:
		if a.Status.Code != "OK" || len(calls) != 1 {
			t.Fatalf("%s: %s, the service was asked %q", body, a.Status.Code, calls)
		}
	case http.StatusBadRequest, http.StatusUnauthorized:
		if !slices.Contains(codes, a.Status.Code) || len(calls) != 0 || a.Data.Token != nil {
			t.Fatalf("%s: %s, the service was asked %q", body, a.Status.Code, calls)
		}
	case http.StatusUnsupportedMediaType:
		if a.Status.Code != "INVALID_PARAMETER" || len(calls) != 0 {
			t.Fatalf("%s: %s, the service was asked %q", body, a.Status.Code, calls)
		}
	default:
		if res.StatusCode != http.StatusRequestEntityTooLarge || len(body) <= dialect.DefaultMaxBody || len(calls) != 0 {
			t.Fatalf("%s: status %d", body, res.StatusCode)
		}
	}
}

// Whatever comes, a login is one whole way to log in with an organisation, or
// an error of the contract.
func FuzzLogin(f *testing.F) {
	for _, seed := range []string{
		`{"username":"jdoe","password":"s3cret!","organisation":"Acme Ltd"}`,
		`{"access_token_identifier":{"identifier":"jdoe","pass_code":"0042"},"organisation":"Acme Ltd","unit":"0D5A1C3E7B9F42D68A4C6E8F0B1D2C3A"}`,
		`{"access_token_identifier":{"authentication_code":"C0DE"},"organisation":"Acme Ltd","username":null}`,
		`{"username":"a","access_token_identifier":{}}`, "\ufeff{}", `[]`, `null`, ``, `{"username":1}`, `{"unit":"Sales"}`,
	} {
		f.Add([]byte(seed), "application/json")
	}
	f.Add([]byte(`{}`), "application/json; charset=latin1")
	f.Add([]byte(`{}`), "\xff;charset=")
	f.Fuzz(func(t *testing.T, body []byte, contentType string) {
		res, a, calls := post(t, "/token", contentType, "", body)
		check(t, body, res, a, calls, "INVALID_PARAMETER", "MISSING_PARAMETER")
		if len(calls) == 0 {
			return
		}
		c := calls[0]
		want := map[string]int{"password": 5, "identifier": 5, "code": 4}[c[0]]
		unit := c[len(c)-1]
		if len(c) != want || slices.Contains(c[:len(c)-1], "") || *a.Data.Token != opaque {
			t.Fatalf("%s: the service was asked %q", body, c)
		}
		if _, ok := token.ParseUpperHex(unit); !ok && unit != "" {
			t.Fatalf("%s: the unit is %q", body, unit)
		}
	})
}

// A key is the username of Basic, or the call is refused.
func FuzzKeyLogin(f *testing.F) {
	for _, seed := range []string{"Basic d2FrOg==", "basic d2Fr", "Basic Og==", "Basic", "Bearer x", "", "Basic \xff", "Basic d2FrOg== "} {
		f.Add(seed, []byte(``))
	}
	f.Add("Basic d2FrOg==", []byte(`{"unit":"0D5A1C3E7B9F42D68A4C6E8F0B1D2C3A"}`))
	f.Add("Basic d2FrOg==", []byte(`{"unit":""}`))
	f.Fuzz(func(t *testing.T, authorization string, body []byte) {
		res, a, calls := post(t, "/web_api_key/token", "", authorization, body)
		check(t, body, res, a, calls, "INVALID_PARAMETER", "INVALID_CREDENTIALS")
		if len(calls) != 0 && (calls[0][1] == "" || bytes.ContainsRune([]byte(calls[0][1]), ':')) {
			t.Fatalf("%q: the key is %q", authorization, calls[0][1])
		}
	})
}

// A release names one token, or is refused.
func FuzzRelease(f *testing.F) {
	for _, seed := range []string{`{"token":"` + opaque + `"}`, `{"token":"` + opaque + `","token":"x"}`, `{"token":7}`, `{}`, `[]`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		res, a, calls := post(t, "/token/release", "application/json", "", body)
		check(t, body, res, a, calls, "INVALID_PARAMETER", "MISSING_PARAMETER")
		if a.Data.Token != nil || len(calls) == 1 && calls[0][1] == "" {
			t.Fatalf("%s: the service was asked %q", body, calls)
		}
	})
}

// What is no JSON is no login, and neither is any other JSON than ours.
func TestJSONTestSuiteIsRefused(t *testing.T) {
	root := os.Getenv("GATEHOUSE_CORPORA")
	if root == "" {
		t.Skip("GATEHOUSE_CORPORA is not set: JSONTestSuite is not replayed")
	}
	paths, err := filepath.Glob(filepath.Join(root, "JSONTestSuite", "test_parsing", "*.json"))
	if err != nil || len(paths) < 300 {
		t.Fatalf("only %d vectors found, %v", len(paths), err)
	}
	for i, path := range paths {
		t.Run(fmt.Sprint(i, " ", filepath.Base(path)), func(t *testing.T) {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			res, a, calls := post(t, "/token", "application/json", "", body)
			check(t, body, res, a, calls, "INVALID_PARAMETER", "MISSING_PARAMETER")
			if res.StatusCode == http.StatusOK {
				t.Errorf("the service was asked %q", calls)
			}
		})
	}
}
