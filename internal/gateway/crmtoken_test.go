package gateway_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	salesUnit = "0D5A1C3E7B9F42D68A4C6E8F0B1D2C3A"
	crmKey    = "planted-web-api-key-of-acme"
)

// crmSite is a world with one crm_token login, a unit Sales that is ann's, and
// a key of the organisation.
func crmSite(t testing.TB, options ...func(*dialect.Config)) *world {
	t.Helper()
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "crm_token", options...)}})
	must(t, w.store.Units.InsertUnit(w.ctx, store.Unit{ID: salesUnit, Realm: realm, Tenant: "t-1", Name: "Sales"}))
	must(t, w.store.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: annID, Tenant: "t-1", Unit: salesUnit}))
	w.addKey(crmKey, store.Key{Tenant: "t-1", Permissions: auth.Read})
	return w
}

func option(name string, args ...string) func(*dialect.Config) {
	return func(c *dialect.Config) {
		if c.Options == nil {
			c.Options = map[string][]string{}
		}
		c.Options[name] = args
	}
}

func format(name string) func(*dialect.Config) {
	return func(c *dialect.Config) { c.Format = name }
}

// wantCode fails the test unless an answer has this status and status code.
func wantCode(t testing.TB, got result, status int, code string) {
	t.Helper()
	if got.forwarded != nil {
		t.Error("the upstream got the request")
	}
	var answer struct{ Status struct{ Code string } }
	if err := json.Unmarshal([]byte(got.body), &answer); err != nil || answer.Status.Code != code || got.StatusCode != status {
		t.Errorf("answered %d %s, want %d %s", got.StatusCode, got.body, status, code)
	}
	if got.Header.Get("Content-Type") != "application/json;charset=UTF-8" {
		t.Errorf("answered with %v", got.Header)
	}
}

// crmKeyLogin logs in with the key of the organisation.
func (w *world) crmKeyLogin() string {
	w.t.Helper()
	got := w.do(post("/authentication/web_api_key/token", "", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(crmKey))))
	wantCode(w.t, got, http.StatusOK, "OK")
	var answer struct{ Data struct{ Token string } }
	must(w.t, json.Unmarshal([]byte(got.body), &answer))
	return answer.Data.Token
}

func (w *world) crmRelease(token string) result {
	w.t.Helper()
	return w.do(post("/authentication/token/release", `{"token":"`+token+`"}`))
}

func TestATokenInTheBodyIsFoundAndTheBodyForwardedByteForByte(t *testing.T) {
	w := crmSite(t)
	token := w.logIn("crm_token")
	for _, body := range []string{
		`{"token":"` + token + `","number":"7"}`,
		" {\n\t\"number\" : 1e3 , \"\\u0074oken\":\"" + token + "\" ,\"ünit\":[{\"token\":\"x\"}]}\r\n",
		"\ufeff{\"token\":\"" + token + "\"}",             // as .NET writes it
		`{"token":"` + token + `","number":7,"number":8}`, // what else stands twice is the upstream's business
	} {
		for _, contentType := range []string{"application/json", "applicatio/json", "text/plain"} {
			r := post("/contacts/show", body)
			r.Header.Set("Content-Type", contentType)
			got := w.do(r)
			wantForwarded(t, got, annID)
			if got.sent != body {
				t.Errorf("the upstream got %q, want %q", got.sent, body)
			}
			for field, want := range map[string]string{"X-Auth-Username": "ann", "X-Auth-Tenant": "t-1", "X-Auth-Unit": salesUnit} {
				if got := got.forwarded.Header.Get(field); got != want {
					t.Errorf("%s is %q, want %q", field, got, want)
				}
			}
		}
	}
}

func TestATokenInTheBodyIsTakenOutWhereTheOptionSaysSo(t *testing.T) {
	w := crmSite(t, option("strip_credentials"))
	token := w.logIn("crm_token")
	got := w.do(post("/contacts/show", `{"token":"`+token+`", "number":"7"}`))
	wantForwarded(t, got, annID)
	if strings.Contains(got.sent, token) || !strings.Contains(got.sent, `"number":"7"`) {
		t.Errorf("the upstream got %q", got.sent)
	}
	if n := got.forwarded.ContentLength; n != int64(len(got.sent)) {
		t.Errorf("the length is %d, of %d bytes", n, len(got.sent))
	}
}

func TestATokenInTheQueryIsTakenOut(t *testing.T) {
	w := crmSite(t)
	token := w.logIn("crm_token")
	got := w.do(get("/contacts/list?number=7&token=" + token + "&a=%2F"))
	wantForwarded(t, got, annID)
	if q := got.forwarded.URL.RawQuery; q != "number=7&a=%2F" {
		t.Errorf("the query is %q", q)
	}
	wantForwarded(t, w.do(get("/contacts/list", "Authorization: Bearer "+token)), annID)
	// Names of parameters and members are exact.
	wantCode(t, w.do(get("/contacts/list?Token="+token)), http.StatusOK, "INVALID_TOKEN")
	wantCode(t, w.do(post("/contacts/list", `{"Token":"`+token+`"}`)), http.StatusOK, "INVALID_TOKEN")
}

func TestRefusalsOfACRMTokenAreHTTP200UnlessTheOptionSaysElse(t *testing.T) {
	statuses := func(of200 int) map[string]int {
		return map[string]int{"INVALID_TOKEN": of200, "INVALID_PARAMETER": min(of200, http.StatusBadRequest)}
	}
	for _, c := range []struct {
		name    string
		options []func(*dialect.Config)
		status  map[string]int
	}{
		{"by default", nil, statuses(http.StatusOK)},
		{"with http_errors", []func(*dialect.Config){option("http_errors")}, statuses(http.StatusUnauthorized)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := crmSite(t, append(c.options, func(c *dialect.Config) { c.MaxBody = 128 })...)
			token := w.logIn("crm_token")
			for code, requests := range map[string][]*http.Request{
				"INVALID_TOKEN": {
					get("/x"), get("/x?token="), get("/x?token=0123456789ABCDEF0123456789ABCDEF"), get("/x?token=" + strings.ToLower(token)),
					post("/x", ""), post("/x", "{}"), post("/x", `{"token":null}`), post("/x", `{"token":""}`), post("/x", `[{"token":"`+token+`"}]`),
					post("/x", `{"token":"0123456789ABCDEF0123456789ABCDEF"}`), post("/x", `{"token":"`+token+`"`), post("/x", `{"a":{"token":"`+token+`"}}`),
					get("/x", "Authorization: Bearer nobody"), get("/x", "Authorization: Bearer "+token+"0"),
				},
				"INVALID_PARAMETER": {
					get("/x?token=" + token + "&token=" + token), post("/x", `{"token":"`+token+`","token":"`+token+`"}`), post("/x", `{"token":7}`),
					get("/x?token="+token, asBob), get("/x", "Authorization: Bearer "+token, "Authorization: Bearer "+token), get("//x?token=" + token),
				},
			} {
				for _, r := range requests {
					wantCode(t, w.do(r), c.status[code], code)
				}
			}
			large := `{"token":"` + token + `","a":"` + strings.Repeat("x", 128) + `"}`
			wantCode(t, w.do(post("/x", large)), http.StatusRequestEntityTooLarge, "INVALID_PARAMETER")
		})
	}
}

func TestAReleasedCRMTokenIsDeadFromTheNextRequest(t *testing.T) {
	for _, f := range []string{"opaque", "jwt"} {
		w := crmSite(t, format(f))
		token := w.logIn("crm_token")
		for range 2 {
			wantForwarded(t, w.do(get("/x?token="+token)), annID)
		}
		wantCode(t, w.crmRelease(token), http.StatusOK, "OK")
		wantCode(t, w.do(get("/x?token="+token)), http.StatusOK, "INVALID_TOKEN")
		wantCode(t, w.crmRelease(token), http.StatusOK, "INVALID_TOKEN")
	}
}

// TestTheLivesOfCRMTokens, to the second.
func TestTheLivesOfCRMTokens(t *testing.T) {
	life := func(ttl, idle time.Duration) func(*dialect.Config) {
		return func(c *dialect.Config) { c.TTL, c.Idle = ttl, idle }
	}
	for _, c := range []struct {
		name      string
		options   []func(*dialect.Config)
		life, key time.Duration
	}{
		{"opaque", nil, time.Hour, 2 * time.Hour},
		{"opaque, configured", []func(*dialect.Config){life(10*time.Minute, 0)}, 10 * time.Minute, 10 * time.Minute},
		{"JWT", []func(*dialect.Config){format("jwt")}, 2 * time.Hour, 2 * time.Hour},
		{"JWT with numbers for dates", []func(*dialect.Config){format("jwt"), option("numeric_dates")}, 2 * time.Hour, 2 * time.Hour},
		{"JWT, configured", []func(*dialect.Config){format("jwt"), life(3*time.Hour, 0)}, 3 * time.Hour, 3 * time.Hour},
		{"idle, and a key's all the same", []func(*dialect.Config){life(0, 90*time.Minute)}, 91 * time.Minute, 2 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := crmSite(t, c.options...)
			for token, life := range map[string]time.Duration{w.logIn("crm_token"): c.life, w.crmKeyLogin(): c.key} {
				w.clock.Store(int64(life - 2*time.Second))
				if c.name != "idle, and a key's all the same" { // where it would be a use
					wantPassed(t, w.do(get("/x?token="+token)))
				}
				w.clock.Store(int64(life + time.Second))
				wantCode(t, w.do(get("/x?token="+token)), http.StatusOK, "TOKEN_EXPIRED")
				wantCode(t, w.do(post("/x", `{"token":"`+token+`"}`)), http.StatusOK, "TOKEN_EXPIRED")
				wantCode(t, w.crmRelease(token), http.StatusOK, "TOKEN_EXPIRED")
				w.clock.Store(0)
			}
		})
	}
}

// wantPassed fails the test unless the upstream got the request.
func wantPassed(t testing.TB, got result) {
	t.Helper()
	if got.forwarded == nil {
		t.Errorf("refused with %d: %s", got.StatusCode, got.body)
	}
}

// TestAnIdleTokenLivesWhileItIsUsed, and no longer than thirty days.
func TestAnIdleTokenLivesWhileItIsUsed(t *testing.T) {
	w := crmSite(t, func(c *dialect.Config) { c.Idle = time.Hour })
	token := w.logIn("crm_token")
	for at := time.Duration(0); at < 30*24*time.Hour; at += 50 * time.Minute {
		w.clock.Store(int64(at))
		got := w.do(post("/x", `{"token":"`+token+`"}`))
		if wantForwarded(t, got, annID); t.Failed() {
			t.Fatalf("after %v", at)
		}
	}
	w.clock.Store(int64(30 * 24 * time.Hour))
	wantCode(t, w.do(get("/x?token="+token)), http.StatusOK, "TOKEN_EXPIRED")

	w.clock.Store(0)
	token = w.logIn("crm_token")
	w.clock.Store(int64(62 * time.Minute))
	wantCode(t, w.do(get("/x?token="+token)), http.StatusOK, "TOKEN_EXPIRED")
}

// TestTheClaimsOfACRMToken are those of the sample: exp and iat are text,
// unless they are asked for as numbers.
func TestTheClaimsOfACRMToken(t *testing.T) {
	for name, options := range map[string][]func(*dialect.Config){
		"text": {format("jwt")}, "numbers": {format("jwt"), option("numeric_dates")},
	} {
		t.Run(name, func(t *testing.T) {
			w := crmSite(t, options...)
			before := time.Now().Unix()
			claims := crmClaims(t, w.logIn("crm_token"))
			for claim, want := range map[string]any{"usr": "ann", "org": "Acme Ltd", "oun": "Sales"} {
				if claims[claim] != want {
					t.Errorf("%s is %v, want %v", claim, claims[claim], want)
				}
			}
			if id, _ := claims["jti"].(string); id == "" {
				t.Error("there is no jti")
			}
			iat, exp := crmDate(t, claims["iat"], name), crmDate(t, claims["exp"], name)
			if iat < before || exp < iat+7200 || exp > iat+7201 {
				t.Errorf("issued at %d, expires at %d", iat, exp)
			}
			keys := crmClaims(t, w.crmKeyLogin())
			if _, ok := keys["oun"]; ok || keys["org"] != "Acme Ltd" || !strings.HasPrefix(fmt.Sprint(keys["usr"]), "key:") {
				t.Errorf("a key's claims are %v", keys)
			}
		})
	}
}

func crmClaims(t testing.TB, token string) (claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts", len(parts))
	}
	for i, into := range []any{&map[string]any{}, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		must(t, err)
		must(t, json.Unmarshal(text, into))
		if head, ok := into.(*map[string]any); ok && i == 0 && (*head)["alg"] != "HS256" {
			t.Errorf("the header is %v", *head)
		}
	}
	return claims
}

func crmDate(t testing.TB, claim any, form string) int64 {
	t.Helper()
	if text, ok := claim.(string); ok && form == "text" {
		n, err := strconv.ParseInt(text, 10, 64)
		must(t, err)
		return n
	}
	number, ok := claim.(float64)
	if !ok || form == "text" {
		t.Fatalf("a date is %#v", claim)
	}
	return int64(number)
}

// TestTokensOfBothFormsOfDatesAreGoodBesideEachOther: which form is right is
// told by the key that signed.
func TestTokensOfBothFormsOfDatesAreGoodBesideEachOther(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{
		login(t, "crm_token", format("jwt")),
		login(t, "crm_token", format("jwt"), option("numeric_dates"), base("/numbers")),
		login(t, "crm_token", base("/opaque")),
	}})
	for _, at := range []string{"/authentication", "/numbers", "/opaque"} {
		got := w.do(post(at+"/token", `{"username":"ann","password":"`+annSecret+`","organisation":"Acme Ltd"}`))
		var answer struct{ Data struct{ Token string } }
		must(t, json.Unmarshal([]byte(got.body), &answer))
		token := answer.Data.Token
		wantForwarded(t, w.do(post("/x", `{"token":"`+token+`"}`)), annID)
		wantForwarded(t, w.do(get("/x", "Authorization: Bearer "+token)), annID)
		// Each block knows the tokens of the others.
		wantCode(t, w.crmRelease(token), http.StatusOK, "OK")
		wantCode(t, w.do(get("/x?token="+token)), http.StatusOK, "INVALID_TOKEN")
	}
}

// TestACRMLoginThatIsRefusedIsAuditedOnce, with what was wrong.
func TestACRMLoginThatIsRefusedIsAuditedOnce(t *testing.T) {
	w := crmSite(t)
	wantCode(t, w.do(post("/authentication/token", `{"username":"ann","password":"wrong","organisation":"Acme Ltd"}`)), http.StatusOK, "INVALID_CREDENTIALS")
	wantCode(t, w.do(post("/authentication/token", `{"username":"ann"}`)), http.StatusOK, "MISSING_PARAMETER")
	wantCode(t, w.crmRelease("nothing"), http.StatusOK, "INVALID_TOKEN")
	want := []auth.Event{
		{Kind: auth.LoginEvent, Code: auth.InvalidCredential, Reason: auth.ReasonPassword},
		{Kind: auth.RefusalEvent, Code: auth.Malformed, Reason: auth.ReasonForm},
		{Kind: auth.RefusalEvent, Code: auth.InvalidCredential, Reason: auth.ReasonUnknown},
	}
	if len(w.events) != len(want) {
		t.Fatalf("audited were %+v", w.events)
	}
	for i, e := range w.events {
		if e.Kind != want[i].Kind || e.Code != want[i].Code || e.Reason != want[i].Reason || e.Dialect != "crm_token" {
			t.Errorf("audited was %+v, want %+v", e, want[i])
		}
	}
}

// TestAClientThatWaitsToBeToldToGoOnIsTold: HttpWebRequest sends its body only
// after a 100, on the dialect's own calls as on guarded ones.
func TestAClientThatWaitsToBeToldToGoOnIsTold(t *testing.T) {
	w := crmSite(t)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_ = w.site.ServeHTTP(rw, r, func(rw http.ResponseWriter, r *http.Request) error {
			_, err := io.Copy(rw, r.Body)
			return err
		})
	}))
	defer server.Close()
	login := `{"username":"ann","password":"` + annSecret + `","organisation":"Acme Ltd"}`
	answer := expecting(t, server.Listener.Addr().String(), "/authentication/token", login)
	var got struct{ Data struct{ Token string } }
	must(t, json.Unmarshal([]byte(answer), &got))
	body := `{"token":"` + got.Data.Token + `"}`
	if answer := expecting(t, server.Listener.Addr().String(), "/contacts/show", body); answer != body {
		t.Errorf("the upstream got %q", answer)
	}
}

// expecting sends a body once it is told to go on, and returns the answer's.
func expecting(t *testing.T, address, path, body string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	defer func() { _ = conn.Close() }()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n", path, len(body))
	must(t, err)
	in := bufio.NewReader(conn)
	status, err := in.ReadString('\n')
	must(t, err)
	if !strings.HasPrefix(status, "HTTP/1.1 100 ") {
		t.Fatalf("told %q", status)
	}
	_, err = in.ReadString('\n')
	must(t, err)
	_, err = io.WriteString(conn, body)
	must(t, err)
	res, err := http.ReadResponse(in, nil)
	must(t, err)
	text, err := io.ReadAll(res.Body)
	must(t, err)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("answered %d %s", res.StatusCode, text)
	}
	return string(text)
}
