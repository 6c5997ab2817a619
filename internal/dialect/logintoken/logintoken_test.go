package logintoken

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
)

func TestTranscripts(t *testing.T) { dialecttest.Replay(t, build) }

func TestFailedLoginsReadAlike(t *testing.T) {
	exchanges := dialecttest.Load(t, filepath.Join("testdata", "login_failed.txtar")).Exchanges
	if len(exchanges) < 3 {
		t.Fatal("want an unknown account, a wrong password and a disabled account")
	}
	for _, e := range exchanges {
		if e.Response != exchanges[0].Response {
			t.Errorf("%q is answered\n%s\nand %q\n%s", e.Name, e.Response, exchanges[0].Name, exchanges[0].Response)
		}
	}
}

// TestTokensThatFailReadAlike, save for what a genuine one is told.
func TestTokensThatFailReadAlike(t *testing.T) {
	answers := map[string]bool{}
	for _, reason := range []string{"unknown", "revoked", "disabled", "signature", "address", "tenant", "form"} {
		for _, f := range []string{"GET /login-token", "DELETE /authentication", "GET /login-token/" + firstID} {
			e := dialecttest.Exchange{Request: f + " HTTP/1.1\nHost: a\nAuthorization: Bearer " + jwt("a") + "\n"}
			answers[e.Do(t, build(t, "", "caller invalid_credential "+reason))] = true
		}
	}
	if len(answers) != 1 {
		t.Errorf("%d answers: %v", len(answers), answers)
	}
	for _, path := range []string{"/login/" + firstText, "/login/" + firstID + "?token=" + firstText} {
		redeems := map[string]bool{}
		for _, reason := range []string{"unknown", "revoked", "disabled", "address", "subject", "form"} {
			e := dialecttest.Exchange{Request: "GET " + path + " HTTP/1.1\nHost: a\n"}
			redeems[e.Do(t, build(t, "", "redeem invalid_credential "+reason))] = true
		}
		if len(redeems) != 1 {
			t.Errorf("%d answers to a redeem: %v", len(redeems), redeems)
		}
	}
}

func TestAKeyThatExpiredIsNoTokenThatDid(t *testing.T) {
	err := auth.Fail(auth.InvalidCredential, auth.ReasonExpired, auth.ErrKey)
	if got := judge(ofToken(err, jwt("a"))); got.Message != "invalid signature" {
		t.Errorf("answered %+v", got)
	}
}

func TestEveryAnswerIsWhole(t *testing.T) {
	for _, path := range dialecttest.Files(t) {
		for _, e := range dialecttest.Load(t, path).Exchanges {
			if strings.Contains(e.Response, "Www-Authenticate") {
				t.Errorf("%s: %q has a challenge", path, e.Name)
			}
			if !strings.Contains(e.Response, "Cache-Control: no-store\n") {
				t.Errorf("%s: %q may be cached", path, e.Name)
			}
			if strings.HasPrefix(e.Response, "HTTP/1.1 204") {
				continue
			}
			if !strings.Contains(e.Response, "Content-Type: application/json; charset=utf-8\n") {
				t.Errorf("%s: %q is not said to be JSON", path, e.Name)
			}
			if _, body, _ := strings.Cut(e.Response, "\n\n"); !strings.HasPrefix(e.Request, "HEAD ") && !json.Valid([]byte(body)) {
				t.Errorf("%s: %q has the body %q", path, e.Name, body)
			}
		}
	}
}

func TestEveryCodeHasAClassAndStatus(t *testing.T) {
	want := map[auth.Code]string{
		auth.Internal: "500 GeneralError general-error", auth.Unavailable: "503 Unavailable unavailable",
		auth.Malformed: "400 BadRequest bad-request", auth.NoCredential: "401 NotAuthenticated not-authenticated",
		auth.InvalidCredential: "401 NotAuthenticated not-authenticated", auth.InsufficientScope: "403 Forbidden forbidden",
		auth.Throttled: "429 TooManyRequests too-many-requests", auth.Conflict: "409 Conflict conflict",
		auth.NotFound: "404 NotFound not-found",
	}
	for _, code := range auth.Codes() {
		p := judge(&auth.Error{Code: code})
		if got := fmt.Sprintf("%d %s %s", p.Code, p.Name, p.ClassName); got != want[code] || p.Message == "" {
			t.Errorf("%s is %s: %s, want %s", code, got, p.Message, want[code])
		}
	}
}

// do sends one request as alice and returns the fake with what it was asked.
func do(t testing.TB, options, method, target, body string) (*fake, *httptest.ResponseRecorder) {
	t.Helper()
	f := newFake(t, "")
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+jwt("a"))
	w := httptest.NewRecorder()
	newAPI(t, options, f).ServeHTTP(w, r)
	return f, w
}

func TestWhatIsAskedOfTheService(t *testing.T) {
	for name, c := range map[string]struct{ method, target, body, want string }{
		"the words of a login":                            {"POST", "/authentication", `{"strategy":"local","username":" Alice ","password":" p\u0000\ud83d\ude00é "}`, "login  Alice   p\x00😀é "},
		"the email where there is no name":                {"POST", "/authentication", `{"strategy":"local","username":"","email":"a@b.c","password":"p"}`, "login a@b.c p"},
		"the name before the email":                       {"POST", "/authentication", `{"strategy":"local","username":"a","email":"a@b.c","password":"p"}`, "login a p"},
		"a link by id and token":                          {"GET", "/login/" + firstID + "?token=x%20y", "", "redeem " + firstID + " x y false"},
		"a link with associate":                           {"GET", "/login/" + firstID + "?token=x&associate=true", "", "redeem " + firstID + " x true"},
		"a link with another associate":                   {"GET", "/login/" + firstID + "?token=x&associate=TRUE", "", "redeem " + firstID + " x false"},
		"a link by token alone":                           {"GET", "/login/" + firstText + "?token=x&associate=true", "", "redeem  " + firstText + " true"},
		"a link by a token in upper case, which is an id": {"GET", "/login/" + strings.ToUpper(secondText) + "?token=x", "", "redeem " + strings.ToUpper(secondText) + " x false"},
		"a patch by an id in upper case":                  {"PATCH", "/login-token/ABCDEF11-1111-4111-8111-111111111111", "{}", "caller bearer " + jwt("a") + "\nchange abcdef11-1111-4111-8111-111111111111"},
		"a logout":                                        {"DELETE", "/authentication", "", "caller bearer " + jwt("a") + "\nidentity " + aliceID + "\nrevoke " + jwt("a")},
		"a JWT of the body, not of the field":             {"POST", "/authentication", `{"strategy":"jwt","accessToken":"` + jwt("b") + `"}`, "caller bearer " + jwt("b") + "\nidentity " + aliceID},
	} {
		f, w := do(t, "", c.method, c.target, c.body)
		got := strings.Join(f.asked, "\n")
		if c.method == "POST" && strings.HasPrefix(c.want, "login") {
			got = f.asked[0]
		}
		if strings.TrimSpace(got) != strings.TrimSpace(c.want) || w.Code > 299 {
			t.Errorf("%s: %d, asked %q, want %q", name, w.Code, got, c.want)
		}
	}
}

// TestWhatIsRefusedNeverReachesTheService beyond the question who calls.
func TestWhatIsRefusedNeverReachesTheService(t *testing.T) {
	var tried int
	for _, file := range []string{"query_refused", "create_refused", "methods_all", "early_data"} {
		tr := dialecttest.Load(t, filepath.Join("testdata", file+".txtar"))
		for _, e := range tr.Exchanges {
			if strings.HasPrefix(e.Response, "HTTP/1.1 2") {
				continue
			}
			f := newFake(t, e.Outcome)
			e.Do(t, newAPI(t, tr.Options, f))
			tried++
			for _, call := range f.asked {
				if !strings.HasPrefix(call, "caller") {
					t.Errorf("%s: %q asked for %s", file, e.Name, call)
				}
			}
			if file == "methods_all" && len(f.asked) > 0 {
				t.Errorf("%s: %q asked who calls", file, e.Name)
			}
		}
	}
	if tried < 60 {
		t.Errorf("only %d were tried", tried)
	}
}

func TestARefusalIsToldOnce(t *testing.T) {
	for _, path := range dialecttest.Files(t) {
		tr := dialecttest.Load(t, path)
		for _, e := range tr.Exchanges {
			if strings.HasPrefix(e.Outcome, "refuse") {
				continue
			}
			var told int
			h := build(t, tr.Options, e.Outcome)
			got := e.Do(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(w, r.WithContext(dialect.WithRefused(r.Context(), func(error) { told++ })))
			}))
			failed := strings.HasPrefix(got, "HTTP/1.1 4") || strings.HasPrefix(got, "HTTP/1.1 5") || strings.Contains(got, `{"error":`)
			if failed != (told == 1) || told > 1 {
				t.Errorf("%s: %q was told %d times", path, e.Name, told)
			}
		}
	}
}

func TestTheFieldsOfARedeemKeepItFromReferrers(t *testing.T) {
	for _, options := range []string{"", "client_url https://client.example.com"} {
		_, w := do(t, options, "GET", "/login/"+firstText, "")
		if w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("answered with %v", w.Header())
		}
	}
}
