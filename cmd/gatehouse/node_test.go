package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// nodeSite guards a site with a stand-in for an API behind it, and gives tokens
// without a password, which would be what takes the time.
const nodeSite = `{
	auto_https off
	log {
		format gatehouse
		level WARN
	}
	gatehouse {
		%s
	}
}

http://:{$PORT} {
	bind 127.0.0.1
	gatehouse {
		login management {
			ttl 24h
		}
		login management /jwt {
			ttl 24h
			format jwt
		}
		login oauth2 {
			ttl 24h
		}
		login oauth2 /quick {
			ttl 1s
		}
		insecure_http
		errors problem
	}
	respond "for {http.auth.user.username}"
}
`

// node is a gateway of several, and who asks it.
type node struct {
	*gateway
	// api is the address of Caddy's admin API.
	api    string
	client http.Client
}

// newNode returns a gateway that stores as these lines say.
func newNode(t *testing.T, storage string) *node {
	t.Helper()
	folder := t.TempDir()
	n := &node{gateway: newGateway(t, folder)}
	n.configure(storage)
	for _, one := range n.env {
		if address, ok := strings.CutPrefix(one, "CADDY_ADMIN="); ok {
			n.api = address
		}
	}
	n.client = http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	t.Cleanup(n.client.CloseIdleConnections)
	return n
}

func (n *node) configure(storage string) {
	n.t.Helper()
	if err := os.WriteFile(filepath.Join(n.folder, "Caddyfile"), fmt.Appendf(nil, nodeSite, storage), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// reply is what a gateway answered to whom, and when.
type reply struct {
	line      string // of the request's head, with the credential
	status    int
	body      string
	retry     string // Retry-After
	sent, got time.Time
	err       error
}

func (r reply) String() string {
	if r.err != nil {
		return r.err.Error()
	}
	return fmt.Sprintf("%d after %v %.100s", r.status, r.took(), r.body)
}

func (r reply) took() time.Duration { return r.got.Sub(r.sent) }

// passed reports whether the request reached what is behind the guard.
func (r reply) passed() bool { return r.err == nil && r.status == http.StatusOK }

// call sends a request with the lines of a head, such as "x-api-key: x".
func (n *node) call(method, url, body string, lines ...string) (r reply) {
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	r.sent = time.Now()
	answer, err := n.client.Do(request)
	if err != nil {
		r.err, r.got = err, time.Now()
		return r
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	r.status, r.body, r.retry, r.got, r.err = answer.StatusCode, string(text), answer.Header.Get("Retry-After"), time.Now(), err
	return r
}

func (n *node) url(path string) string { return "http://127.0.0.1:" + n.port + path }

// present asks for something guarded.
func (n *node) present(line string) reply {
	r := n.call(http.MethodGet, n.url("/api"), "", line)
	r.line = line
	return r
}

func bearerLine(token string) string { return "Authorization: Bearer " + token }

// keyPair is an API key and its id, which log in without a password.
type keyPair struct{ id, secret string }

// form sends a form as a client.
func (n *node) form(k keyPair, path string, values url.Values) reply {
	values.Set("client_id", k.id)
	values.Set("client_secret", k.secret)
	return n.call(http.MethodPost, n.url(path), values.Encode(), "Content-Type: application/x-www-form-urlencoded")
}

// tryGrant asks for a token; that is "" where the answer has none.
func (n *node) tryGrant(k keyPair) (token string, r reply) { return n.tryGrantAt("/oauth2", k) }

func (n *node) tryGrantAt(base string, k keyPair) (token string, r reply) {
	r = n.form(k, base+"/token", url.Values{"grant_type": {"client_credentials"}})
	var answer struct {
		Token string `json:"access_token"`
	}
	_ = json.Unmarshal([]byte(r.body), &answer) // what is none has none
	return answer.Token, r
}

func (n *node) grant(k keyPair) string {
	n.t.Helper()
	return n.insist("a token", func() (string, reply) { return n.tryGrant(k) })
}

func (n *node) revoke(k keyPair, token string) reply {
	return n.form(k, "/oauth2/revoke", url.Values{"token": {token}})
}

func (n *node) tryLogin(username, password string) (token string, r reply) {
	return n.tryLoginAt("/v1/auth", username, password)
}

func (n *node) tryLoginAt(base, username, password string) (token string, r reply) {
	r = n.call(http.MethodPost, n.url(base+"/login"), fmt.Sprintf(`{"username":%q,"password":%q}`, username, password), "Content-Type: application/json")
	var answer struct{ Token string }
	_ = json.Unmarshal([]byte(r.body), &answer)
	return answer.Token, r
}

func (n *node) login(username string) string {
	n.t.Helper()
	return n.insist("a login", func() (string, reply) { return n.tryLogin(username, clientPassword) })
}

func (n *node) logout(token string) reply {
	return n.call(http.MethodPost, n.url("/v1/auth/logout"), "", bearerLine(token))
}

// insist tries again where the store is out of reach, as it may be for a moment
// on a machine that does many other things.
func (n *node) insist(what string, try func() (string, reply)) (got string) {
	n.t.Helper()
	n.eventually(what, func() bool {
		text, r := try()
		if got = text; text == "" && r.status != http.StatusServiceUnavailable {
			n.t.Fatalf("no %s: %v\n%s", what, r, n.lately())
		}
		return got != ""
	})
	return got
}

// refuses waits for the verdict that a credential is bad.
func (n *node) refuses(line string) {
	n.t.Helper()
	n.eventually("a bad credential is refused", func() bool {
		r := n.present(line)
		if r.passed() {
			n.t.Fatalf("a bad credential is answered %v", r)
		}
		return r.status == http.StatusUnauthorized
	})
}

// key makes an API key of an account.
func (n *node) key(account string) keyPair {
	n.t.Helper()
	printed := map[string]any{}
	n.command(&printed, "key", "create", "--account", account, "--permissions", "read,write,delete,create")
	return keyPair{fmt.Sprint(printed["id"]), fmt.Sprint(printed["key"])}
}

// command runs a command, again where the store was out of reach, and reads the
// object that it prints.
func (n *node) command(printed any, args ...string) {
	n.t.Helper()
	n.eventually(strings.Join(args, " "), func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), startTime)
		defer cancel()
		cmd := exec.CommandContext(ctx, "gatehouse", append(args, "--json")...)
		cmd.Dir, cmd.Env = n.folder, n.env
		var complaints strings.Builder
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil && strings.Contains(complaints.String(), "the store cannot be read or written") {
			return false
		}
		if err == nil {
			err = json.Unmarshal(out, printed)
		}
		if err != nil {
			n.t.Fatalf("gatehouse %s: %v\n%s%s", strings.Join(args, " "), err, out, &complaints)
		}
		return true
	})
}

// health is what the admin API says: ok, degraded or down.
func (n *node) health() (status string, r reply) {
	r = n.call(http.MethodGet, "http://"+n.api+"/gatehouse/health", "")
	var doc struct{ Status string }
	_ = json.Unmarshal([]byte(r.body), &doc)
	return doc.Status, r
}

// counter reads a metric without labels.
func (n *node) counter(name string) int {
	n.t.Helper()
	return n.number("/metrics", `(?m)^`+name+` (\S+)$`)
}

// goroutines counts those of the gateway.
func (n *node) goroutines() int {
	n.t.Helper()
	return n.number("/debug/pprof/goroutine?debug=1", `total (\d+)`)
}

func (n *node) number(path, pattern string) int {
	n.t.Helper()
	r := n.call(http.MethodGet, "http://"+n.api+path, "")
	m := regexp.MustCompile(pattern).FindStringSubmatch(r.body)
	if r.err != nil || m == nil {
		n.t.Fatalf("%s has no %s: %v", path, pattern, r)
	}
	x, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		n.t.Fatal(err)
	}
	return int(x)
}

// lately is the end of what the gateway printed.
func (n *node) lately() string {
	text := n.output()
	return text[max(0, len(text)-2000):]
}

// eventually waits until a condition holds.
func (n *node) eventually(what string, holds func() bool) {
	n.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(startTime); !holds(); <-tick.C {
		if time.Now().After(end) {
			n.t.Fatalf("not within %v: %s\n%s", startTime, what, n.lately())
		}
	}
}

// passes waits until each of these is let through, and fails the test where one
// is called bad.
func (n *node) passes(lines ...string) {
	n.t.Helper()
	for _, line := range lines {
		n.eventually("a good credential passes", func() bool {
			r := n.present(line)
			if r.status == http.StatusUnauthorized {
				n.t.Fatalf("a good credential is answered %v", r)
			}
			return r.passed()
		})
	}
}

// healthy waits until the gateway says that all is well.
func (n *node) healthy() {
	n.t.Helper()
	n.eventually("it is ok", func() bool {
		status, _ := n.health()
		return status == "ok"
	})
}

// amount is how much of something a test does: what a variable of the
// environment says, or else what suits every run.
func amount(t *testing.T, variable string, usual int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q is no number", variable, text)
	}
	return n
}
