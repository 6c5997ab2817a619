package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/examples/assertion/verify"
)

const assertionExample = "../../examples/assertion"

// newAssertionGateway runs the Caddyfile of the example without the stand-in,
// whose place the upstream of the test takes.
func newAssertionGateway(t *testing.T) *gateway {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(assertionExample, "Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	site, _, found := strings.Cut(string(text), "# A stand-in")
	if !found {
		t.Fatal("the example has no stand-in")
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "Caddyfile"), []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, folder)
	g.start("run")
	return g
}

// call sends a request and returns the status and the body.
func call(t *testing.T, method, address, path, host string, lines map[string]string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = host
	for name, value := range lines {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// believes drives an upstream that verifies, through the gateway and past it:
// with what a tap between the two would have caught.
func (g *gateway) believes(t *testing.T, captured func() string) {
	t.Helper()
	_ = g.admin("", "account", "add", "ann", "--no-password")
	key := fmt.Sprint(g.admin("", "key", "create", "--account", "ann")["key"])
	own := "localhost:" + g.port
	status, body := call(t, http.MethodGet, own, "/orders/zo%C3%AB?x=1", own, map[string]string{"x-api-key": key})
	if status != http.StatusOK || !strings.HasPrefix(body, "GET /orders/zo%C3%AB") || !strings.Contains(body, " for ann ") {
		t.Fatalf("through the gateway: %d %s\n%s", status, body, g.output())
	}
	assertion := captured()
	upstream := "localhost:" + g.upstream
	for name, c := range map[string]struct {
		method, path, host string
		field              string
		want               int
	}{
		"the call that it was made for": {"GET", "/orders/zo%C3%AB?x=2", own, assertion, 200},
		"no assertion":                  {"GET", "/orders/zo%C3%AB", own, "", 401},
		"another method":                {"DELETE", "/orders/zo%C3%AB", own, assertion, 401},
		"another path":                  {"GET", "/orders/all", own, assertion, 401},
		"a path below":                  {"GET", "/orders/zo%C3%AB/x", own, assertion, 401},
		"another host":                  {"GET", "/orders/zo%C3%AB", "admin.example.com", assertion, 401},
		"another port":                  {"GET", "/orders/zo%C3%AB", "localhost:1", assertion, 401},
		"a signature that was changed":  {"GET", "/orders/zo%C3%AB", own, spoiled(assertion), 401},
		"another alg":                   {"GET", "/orders/zo%C3%AB", own, reheaded(t, assertion, "alg", "none"), 401},
		"another typ":                   {"GET", "/orders/zo%C3%AB", own, reheaded(t, assertion, "typ", "at+jwt"), 401},
		"an unknown kid":                {"GET", "/orders/zo%C3%AB", own, reheaded(t, assertion, "kid", "x"), 401},
		"junk":                          {"GET", "/orders/zo%C3%AB", own, "a.b.c", 401},
	} {
		t.Run(name, func(t *testing.T) {
			lines := map[string]string{"X-Auth-Subject": "ann", "X-Auth-Username": "ann"}
			if c.field != "" {
				lines["X-Auth-Assertion"] = c.field
			}
			if status, body := call(t, c.method, upstream, c.path, c.host, lines); status != c.want {
				t.Errorf("answered %d %s, want %d", status, body, c.want)
			}
		})
	}
	// A new key signs at once; the upstream meets a kid that it does not know.
	g.shell("gatehouse signing-key rotate --use assertion")
	deadline := time.Now().Add(startTime)
	for kid := kidOf(t, assertion); ; <-time.After(50 * time.Millisecond) {
		status, _ := call(t, http.MethodGet, own, "/fresh/"+fmt.Sprint(time.Now().UnixNano()), own, map[string]string{"x-api-key": key})
		if status == http.StatusOK && kidOf(t, captured()) != kid {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the upstream does not learn the new key: %d\n%s", status, g.output())
		}
	}
}

// spoiled changes a character within the signature.
func spoiled(jwt string) string {
	i := len(jwt) - 10
	c := "A"
	if jwt[i] == 'A' {
		c = "B"
	}
	return jwt[:i] + c + jwt[i+1:]
}

func headOf(t *testing.T, jwt string) map[string]string {
	t.Helper()
	head, _, _ := strings.Cut(jwt, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]string
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	return members
}

func kidOf(t *testing.T, jwt string) string { t.Helper(); return headOf(t, jwt)["kid"] }

func reheaded(t *testing.T, jwt, member, value string) string {
	t.Helper()
	head := headOf(t, jwt)
	head[member] = value
	text, err := json.Marshal(head)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(jwt, ".")
	return base64.RawURLEncoding.EncodeToString(text) + "." + rest
}

// TestTheGoUpstreamBelievesAssertionsOnly runs the verifier of the example
// behind a gateway.
func TestTheGoUpstreamBelievesAssertionsOnly(t *testing.T) {
	g := newAssertionGateway(t)
	v := &verify.Verifier{
		Keys:   &verify.KeySet{URL: "http://localhost:" + g.port + "/.well-known/jwks.json"},
		Issuer: "gatehouse:default", Audience: "orders",
	}
	caught := make(chan string, 1000)
	believing := v.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := verify.From(r.Context())
		_, _ = fmt.Fprintf(w, "%s %s for %s with %s\n", r.Method, r.URL.EscapedPath(), c.Username, c.Credential)
	}))
	serve(t, g.upstream, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Forwarded-For") != "" { // from the gateway
			caught <- r.Header.Get("X-Auth-Assertion")
		}
		believing.ServeHTTP(w, r)
	}))
	g.believes(t, func() string { return last(caught) })
}

// TestTheNodeUpstreamBelievesAssertionsOnly runs the script of the example
// behind a gateway, with a tap between the two.
func TestTheNodeUpstreamBelievesAssertionsOnly(t *testing.T) {
	_, err := exec.LookPath("node")
	needs(t, err != nil, "node")
	g := newAssertionGateway(t)
	tap := g.upstream
	g.upstream = freePort(t)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", filepath.Join(assertionExample, "upstream.mjs"))
	cmd.Env = append(os.Environ(), "PORT="+g.port, "UPSTREAM_PORT="+g.upstream, "NO_PROXY=*")
	cmd.Stderr = g
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q, %v\n%s", line, err, g.output())
	}
	caught := make(chan string, 1000)
	serve(t, tap, tapped(t, g.upstream, caught))
	g.believes(t, func() string { return last(caught) })
}

// TestASecondGatewayBelievesAssertionsOnly runs the second Caddyfile of the
// example behind a gateway, with a tap between the two.
func TestASecondGatewayBelievesAssertionsOnly(t *testing.T) {
	g := newAssertionGateway(t)
	folder := t.TempDir()
	text, err := os.ReadFile(filepath.Join(assertionExample, "upstream.Caddyfile"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "Caddyfile"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	second := newGateway(t, folder)
	second.env = append(second.env, "PORT="+g.port, "UPSTREAM_PORT="+second.port)
	second.start("run")
	tap := g.upstream
	g.upstream = second.port
	caught := make(chan string, 1000)
	serve(t, tap, tapped(t, second.port, caught))
	g.believes(t, func() string { return last(caught) })
}

// tapped passes requests on to a port, and their assertions to caught.
func tapped(t *testing.T, port string, caught chan<- string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caught <- r.Header.Get("X-Auth-Assertion")
		status, body := call(t, r.Method, "localhost:"+port, r.URL.RequestURI(), r.Host,
			map[string]string{"X-Auth-Assertion": r.Header.Get("X-Auth-Assertion")})
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// last returns the newest of what was caught.
func last(caught chan string) (text string) {
	for {
		select {
		case text = <-caught:
		default:
			return text
		}
	}
}

// serve answers on a port of this machine.
func serve(t *testing.T, port string, h http.Handler) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
}
