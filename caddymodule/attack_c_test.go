package caddymodule

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/dudect"
)

// The attacks on how a credential is found in a request.

// twoCallers is a site that accepts every credential, and two accounts with a
// key and a token each.
type twoCallers struct {
	*whole
	ann, bob caller
}

type caller struct{ id, name, key, token string }

func startCallers(t *testing.T, block string) *twoCallers {
	t.Helper()
	w := &twoCallers{whole: start(t, block)}
	for into, name := range map[*caller]string{&w.ann: annName, &w.bob: "bob"} {
		row, key := w.account(admin.NewAccount{Username: name, Roles: []string{name}})
		_, token := w.token(name, "")
		*into = caller{row.ID, name, key, token}
	}
	return w
}

const everyCredential = `
		accept bearer api_key key_user_token basic
		accept query access_token
		accept body token
		insecure_http
		errors problem`

func basicOf(pair string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

func (c caller) triple() []string {
	return []string{"apikey: " + c.key, "userid: " + c.name, "token: " + c.token}
}

func TestC01TwoAuthorizationFields(t *testing.T) {
	w := startCallers(t, everyCredential)
	good := bearerOf(w.ann.token)
	w.passed(w.get("/x", good))
	for _, other := range []string{good, bearerOf("nothing"), bearerOf(w.bob.token), basicOf("x:"), "Authorization: Negotiate abc", "Authorization: "} {
		w.refused(w.get("/x", good, other), http.StatusBadRequest)
		w.refused(w.get("/x", other, good), http.StatusBadRequest)
	}
	w.refused(w.get("/x", "x-api-key: "+w.ann.key, "x-api-key: nothing"), http.StatusBadRequest)
	w.refused(w.get("/x?access_token="+w.ann.token+"&access_token=nothing"), http.StatusBadRequest)
	// Joined to one field they are no token, whichever comes first.
	w.refused(w.get("/x", good+", Bearer nothing"), http.StatusUnauthorized)
	w.refused(w.get("/x", "Authorization: Bearer nothing, Bearer "+w.ann.token), http.StatusUnauthorized)
}

func TestC02CredentialsOfTwoCallers(t *testing.T) {
	w := startCallers(t, everyCredential)
	sources := func(c caller) map[string][]string {
		return map[string][]string{"bearer": {bearerOf(c.token)}, "api_key": {"x-api-key: " + c.key}, "key_user_token": c.triple()}
	}
	for kind, first := range sources(w.ann) {
		w.passed(w.get("/x", first...))
		for other, second := range sources(w.bob) {
			if kind == other {
				continue
			}
			w.refused(w.get("/x", append(second, first...)...), http.StatusBadRequest)
		}
		w.refused(w.get("/x?access_token="+w.bob.token, first...), http.StatusBadRequest)
		got := w.passed(w.get("/x?access_token="+w.ann.token, first...)) // of one caller
		if got.Header.Get("X-Auth-Subject") != w.ann.id || strings.Contains(got.URI, "access_token") {
			t.Errorf("the upstream saw %v", got)
		}
	}
	// The body is read only where nothing else was presented.
	got := w.passed(w.post("/x", `{"token":"`+w.bob.token+`"}`, bearerOf(w.ann.token), jsonType))
	if got.Header.Get("X-Auth-Subject") != w.ann.id {
		t.Errorf("the upstream saw %v", got)
	}
}

func TestC03CredentialsWhereNoneIsAccepted(t *testing.T) {
	w := startCallers(t, "accept bearer api_key\ninsecure_http")
	for _, name := range []string{"access_token", "apikey", "token", "Token", "api_key", "x-api-key", "authorization", "key", "jwt"} {
		for _, secret := range []string{w.ann.token, w.ann.key} {
			w.refused(w.get("/x?"+name+"="+url.QueryEscape(secret)), http.StatusUnauthorized)
			w.refused(w.post("/x", name+"="+url.QueryEscape(secret), "Content-Type: application/x-www-form-urlencoded"), http.StatusUnauthorized)
			w.refused(w.post("/x", fmt.Sprintf(`{%q:%q}`, name, secret), jsonType), http.StatusUnauthorized)
			w.refused(w.get("/x", "Cookie: "+name+"="+secret), http.StatusUnauthorized)
		}
	}
	for _, secret := range []string{w.ann.token, w.ann.key} {
		w.unlogged(secret)
	}
}

// unlogged fails the test where a secret stands in the log.
func (w *twoCallers) unlogged(secret string) {
	w.t.Helper()
	for _, line := range w.logged("http.log.access", "") {
		if strings.Contains(fmt.Sprint(line), secret) {
			w.t.Errorf("logged: %v", line)
		}
	}
	if len(w.logged("http.log.access", "")) == 0 {
		w.t.Error("nothing is logged")
	}
}

func TestC05BasicOfEveryForm(t *testing.T) {
	w := startCallers(t, everyCredential)
	for _, pair := range []string{w.ann.key, w.ann.key + ":", w.ann.key + ":x", w.ann.key + ":x:y"} {
		if got := w.passed(w.get("/x", basicOf(pair))); got.Header.Get("X-Auth-Subject") != w.ann.id {
			t.Errorf("the upstream saw %v", got)
		}
	}
	for field, want := range map[string]int{
		basicOf(annName + ":" + annPassword):                      http.StatusUnauthorized, // a password is for logging in
		basicOf("a:b:" + w.ann.key):                               http.StatusUnauthorized,
		basicOf(w.ann.key + "\x00"):                               http.StatusUnauthorized,
		basicOf("\x00"):                                           http.StatusUnauthorized,
		basicOf(" " + w.ann.key):                                  http.StatusUnauthorized,
		basicOf("é\xff:x"):                                        http.StatusUnauthorized,
		basicOf(":" + w.ann.key):                                  http.StatusBadRequest,
		basicOf(""):                                               http.StatusBadRequest,
		"Authorization: Basic":                                    http.StatusBadRequest,
		"Authorization: Basic !!!!":                               http.StatusBadRequest,
		"Authorization: Basic YQ":                                 http.StatusBadRequest,
		"Authorization: Basic YR==":                               http.StatusBadRequest,
		"Authorization: Basic YQ== YQ==":                          http.StatusBadRequest,
		"Authorization: Basic " + w.ann.key + ":":                 http.StatusBadRequest,
		basicOf(strings.Repeat("k", 9<<10)):                       http.StatusUnauthorized,
		basicOf(w.ann.key)[:len("Authorization: Basic ")+8] + "=": http.StatusBadRequest,
	} {
		if a := w.get("/x", field); a.status != want || a.seen != nil {
			t.Errorf("%.60q: want %d, %v", field, want, a)
		}
	}
}

// oddKeys are what an index, a pattern or a query could take for a key that is
// there.
func oddKeys(key string) []string {
	return []string{
		key + "%00", key + "'", "' OR '1'='1", key + "' --", "%", "_", key[:8] + "%", key[:8] + "*", "*", "?", "[a-z]*", "api_*", key + "\"", "null", "0", "1", "true",
		"${jndi:ldap://127.0.0.1/x}", "{{7*7}}", "../" + key, key + ";", key + ",", key + "," + key, strings.Repeat("k", 9<<10), "ключ", "\u202e" + key, key + "\u200b",
		"Bearer " + key, "api_", "sha256:" + key,
	}
}

func TestC06OddKeys(t *testing.T) {
	w := startCallers(t, everyCredential)
	for _, key := range oddKeys(w.ann.key) {
		w.refused(w.get("/x", "x-api-key: "+key), http.StatusUnauthorized)
		w.refused(w.get("/x", "apikey: "+key, "userid: "+annName, "token: "+w.ann.token), http.StatusUnauthorized)
		w.refused(w.get("/x", basicOf(key)), http.StatusUnauthorized)
	}
	// White space around a value is no part of it (RFC 9110 section 5.5), and a
	// NUL is in no value.
	request := func(value string) string {
		return w.raw("GET /x HTTP/1.1\r\nHost: " + w.host() + "\r\nConnection: close\r\nx-api-key:" + value + "\r\n\r\n")
	}
	if got := request(" \t" + w.ann.key + " \t"); !strings.HasPrefix(got, "HTTP/1.1 200") {
		t.Error(got)
	}
	for _, value := range []string{w.ann.key + "\x00", "\x00" + w.ann.key, w.ann.key + "\r\n ", w.ann.key + "\x0b"} {
		if got := request(value); !strings.HasPrefix(got, "HTTP/1.1 4") {
			t.Errorf("%q: %s", value, got)
		}
	}
	if a := w.get("/x", "x-api-key: "+strings.Repeat("k", 1<<20)); a.seen != nil || a.status/100 != 4 {
		t.Error(a)
	}
}

func TestC07AlmostAKey(t *testing.T) {
	w := startCallers(t, everyCredential)
	w.passed(w.get("/x", "x-api-key: "+w.ann.key))
	w.passed(w.get("/x", bearerOf(w.ann.token)))
	for _, secret := range []string{w.ann.key, w.ann.token} {
		almost := []string{strings.ToUpper(secret), secret + "A", "A" + secret, secret + secret, secret[1:], respelled(secret), secret + "=", secret + ".", secret[4:]}
		if secret != strings.ToLower(secret) {
			almost = append(almost, strings.ToLower(secret))
		}
		for n := range secret {
			almost = append(almost, secret[:n])
		}
		for _, text := range almost {
			w.refused(w.get("/x", "x-api-key: "+text), http.StatusUnauthorized)
			if text != "" {
				w.refused(w.get("/x", bearerOf(text)), http.StatusUnauthorized)
			}
		}
	}
	// One kind of secret is not another.
	w.refused(w.get("/x", "x-api-key: "+w.ann.token), http.StatusUnauthorized)
	w.refused(w.get("/x", bearerOf(w.ann.key)), http.StatusUnauthorized)
}

func TestC08PartsThatDisagree(t *testing.T) {
	w := startCallers(t, everyCredential)
	with := func(key, user, token string) answer {
		return w.get("/x", "apikey: "+key, "userid: "+user, "token: "+token)
	}
	w.passed(with(w.ann.key, annName, w.ann.token))
	w.passed(with(w.ann.key, w.ann.id, w.ann.token))
	w.passed(with(w.ann.key, strings.ToUpper(annName), w.ann.token)) // a username is one in any case
	for _, a := range []answer{
		with(w.bob.key, annName, w.ann.token), with(w.ann.key, "bob", w.ann.token), with(w.ann.key, annName, w.bob.token),
		with(w.ann.key, "bob", w.bob.token), with(w.bob.key, "bob", w.ann.token), with(w.bob.key, annName, w.bob.token),
		with(w.ann.key, "", w.ann.token), with(w.ann.key, annName, ""), with("", annName, w.ann.token), with(w.ann.key, annName+" x", w.ann.token),
		with(w.ann.key, "nobody", w.ann.token), with(w.ann.key, "аnn", w.ann.token), with(w.ann.key, "%", w.ann.token), with(w.ann.key, annName+"\u200b", w.ann.token),
		w.get("/x", "apikey: "+w.ann.key), w.get("/x", "apikey: "+w.ann.key, "token: "+w.ann.token), w.get("/x", "userid: "+annName, "token: "+w.ann.token),
		w.get("/x", "apikey: "+w.ann.key, "userid: "+annName),
	} {
		w.refused(a, http.StatusUnauthorized)
	}
}

func TestC10NoFallThroughToAWeakerScheme(t *testing.T) {
	o := newOutsideIssuer(t)
	w := startCallers(t, everyCredential+"\n\t\ttrust "+o.URL+" {\n\t\t\taudience api\n\t\t}")
	outside := o.token(t, nil)
	w.passed(w.get("/x", bearerOf(outside)))
	// A token counts as a Bearer (RFC 6750 section 2.1) and in no weaker place.
	for _, a := range []answer{
		w.get("/x?access_token=" + outside), w.post("/x", `{"token":"`+outside+`"}`, jsonType), w.get("/x", "x-api-key: "+outside),
		w.get("/x", basicOf(outside)), w.get("/x", "apikey: "+w.ann.key, "userid: "+annName, "token: "+outside),
	} {
		w.refused(a, http.StatusUnauthorized)
	}
	// A bad credential is the answer, whichever good one stands beside it.
	for _, bad := range []string{bearerOf("nothing"), bearerOf(outside + "A"), bearerOf("a.b.c")} {
		w.refused(w.get("/x", bad, "x-api-key: "+w.ann.key), http.StatusUnauthorized)
		w.refused(w.get("/x?access_token="+w.ann.token, bad), http.StatusUnauthorized)
		w.refused(w.post("/x", `{"token":"`+w.ann.token+`"}`, bad, jsonType), http.StatusUnauthorized)
	}
	w.refused(w.get("/x", bearerOf(w.ann.token), "x-api-key: nothing"), http.StatusUnauthorized)
	// An opaque token that looks like a JWT is looked up as what it is.
	for _, text := range []string{w.ann.token + "..", "." + w.ann.token + ".", w.ann.token + ".a.b", "eyJhbGciOiJub25lIn0." + b64url(w.ann.token) + "."} {
		w.refused(w.get("/x", bearerOf(text)), http.StatusUnauthorized)
	}
}

// timedSamples is how many requests of each class are timed: enough for what a
// comparison byte by byte would show, and some seconds.
const timedSamples = 3000

// timedFactor is how far apart the medians of the two classes may be. They are
// interleaved, so that other work of the machine slows down both.
const timedFactor = 1.5

// A key is found by its digest, so how much of it is right cannot be heard. What
// t is, is told and not judged: this machine has other work (package dudect has
// the proof that a difference would be seen). Judged is what would be heard over
// a network: how far apart the medians are.
func TestC11HowMuchOfAKeyIsRightTakesNoTime(t *testing.T) {
	w := startCallers(t, "accept api_key")
	order := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // which of two goes first
	candidate := func(right int) dudect.Class {
		return func(i int) func() {
			wrong := fmt.Sprintf("%0*d", len(w.ann.key)-right, i)
			field := "x-api-key: " + w.ann.key[:right] + wrong[len(wrong)-(len(w.ann.key)-right):]
			return func() { w.refused(w.get("/x", field), http.StatusUnauthorized) }
		}
	}
	p := dudect.Sample(timedSamples, order, time.Now, candidate(4), candidate(len(w.ann.key)-4))
	if len(p.A) != timedSamples || len(p.B) != timedSamples {
		t.Fatalf("%d and %d samples", len(p.A), len(p.B))
	}
	t.Logf("a key that is wrong early against one that is wrong late: %s", p)
	early, late := p.Medians()
	if ratio := float64(late) / float64(early); ratio > timedFactor || ratio < 1/timedFactor {
		t.Errorf("one that is wrong early takes %s, one that is wrong late %s", early, late)
	}
}

func TestC12NoNameOfAClientOpensTheDoor(t *testing.T) {
	w := startCallers(t, everyCredential)
	for _, agent := range []string{"GoogleHC/1.0", "ELB-HealthChecker/2.0", "kube-probe/1.30", "Consul Health Check", "HealthCheck", "curl/8", "Caddy", ""} {
		w.refused(w.get("/x", "User-Agent: "+agent), http.StatusUnauthorized)
	}
	for _, path := range []string{
		"/health", "/healthz", "/_health", "/ping", "/ready", "/readyz", "/livez", "/status", "/metrics", "/debug/pprof/", "/.well-known/health", "/config/", "/id/", "/favicon.ico",
	} {
		w.refused(w.get(path), http.StatusUnauthorized)
	}
	for _, field := range []string{"X-Health-Check: 1", "X-Internal: true", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Origin: http://localhost", "Referer: " + w.site + "/x"} {
		w.refused(w.get("/x", field), http.StatusUnauthorized)
	}
}
