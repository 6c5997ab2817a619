package caddymodule

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

func TestWholeRules(t *testing.T) {
	w := startSetting(t, setting{sites: `SITE {
	@probe header X-Probe yes
	@writes method POST PUT
	@missing header X-Never yes
	@computed expression {http.request.uri.query.open} == "1"
	gatehouse {
		accept bearer api_key
		public @probe
		public @computed
		public @missing
		public /open/*
		require @writes {
			permission write
		}
		require /admin/* {
			role admin root
		}
		require /ADMIN/scoped {
			scope deep
		}
	}
	reverse_proxy UPSTREAM
}
`})
	w.account(admin.NewAccount{Username: "bob"})
	w.account(admin.NewAccount{Username: "root", Roles: []string{"root"}})
	_, bob := w.token("bob", "")
	_, root := w.token("root", "")
	_, reader, err := w.admin(gateway.DefaultRealm).CreateKey(t.Context(), admin.NewKey{Account: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	readKey := "x-api-key: " + reader.Reveal()

	for _, c := range []struct {
		name, method, path string
		fields             []string
		want               int
	}{
		{"a public path takes no credential", "GET", "/open/x", nil, 200},
		{"a public path goes on without a bad one", "GET", "/open/x", []string{bearerOf("nothing")}, 200},
		{"a public path is matched exactly", "GET", "/OPEN/x", nil, 401},
		{"a public path is no way up", "GET", "/open/../things", nil, 400},
		{"a public path is no way up, percent-encoded", "GET", "/open/%2e%2e/things", nil, 400},
		{"a named matcher opens what it matches", "GET", "/things", []string{"X-Probe: yes"}, 200},
		{"a named matcher opens nothing else", "GET", "/things", []string{"X-Probe: no"}, 401},
		{"a matcher is asked about each request", "GET", "/things?open=1", nil, 200},
		{"a matcher is asked about each request and may say no", "GET", "/things?open=2", nil, 401},
		{"a role is needed", "GET", "/admin/x", []string{bearerOf(bob)}, 403},
		{"a role is enough", "GET", "/admin/x", []string{bearerOf(root)}, 200},
		{"a path is required whatever its case", "GET", "/Admin/x", []string{bearerOf(bob)}, 403},
		{"a path is required however it is encoded", "GET", "/%61dmin/x", []string{bearerOf(bob)}, 403},
		{"every requirement must hold", "GET", "/admin/scoped", []string{bearerOf(root)}, 403},
		{"a required path on a public one still needs a caller", "GET", "/admin/x", []string{"X-Probe: yes"}, 401},
		{"a matcher that matches requires", "POST", "/things", []string{readKey}, 403},
		{"a matcher that does not match requires nothing", "GET", "/things", []string{readKey}, 200},
		{"a token has all permissions", "POST", "/things", []string{bearerOf(bob)}, 200},
		{"a method nobody knows is refused", "FROB", "/things", []string{bearerOf(bob)}, 405},
		{"a method nobody knows is refused on a public path", "TRACE", "/open/x", nil, 405},
	} {
		w.run(c.name, func(t *testing.T) {
			got := w.do(c.method, c.path, "", c.fields...)
			if got.status != c.want || (got.seen != nil) != (c.want == http.StatusOK) {
				t.Error(got)
			}
		})
	}
	w.run("the paths in dots reached nobody who would read them otherwise", func(t *testing.T) {
		got := w.raw("GET /open/../things HTTP/1.1\r\nHost: " + w.host() + "\r\n\r\n")
		if !strings.HasPrefix(got, "HTTP/1.1 400 ") {
			t.Error(got)
		}
	})
	w.run("a bad credential is gone on a public path", func(t *testing.T) {
		got := w.passed(w.get("/open/x", bearerOf("nothing"), "X-Auth-Subject: root"))
		if got.Header.Get("Authorization") != "" || got.Header.Get("X-Auth-Subject") != "" {
			t.Error(got)
		}
	})
	w.run("a good one is attached there", func(t *testing.T) {
		if got := w.passed(w.get("/open/x", bearerOf(bob))); got.Header.Get("X-Auth-Username") != "bob" {
			t.Error(got)
		}
	})
}

func (w *whole) host() string {
	return strings.TrimPrefix(strings.TrimPrefix(w.site, "http://"), "https://")
}

// raw sends bytes and returns the answer up to its end or a second of silence.
func (w *whole) raw(request string) string {
	w.t.Helper()
	c, err := net.Dial("tcp", w.host())
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, request); err != nil {
		w.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%s %s\n%s", res.Proto, res.Status, body)
}

func TestWholeRate(t *testing.T) {
	for _, c := range []struct {
		key string
		// same says whether two tokens of one account, and two accounts,
		// count together.
		tokens, accounts bool
	}{{"credential", false, false}, {"subject", true, false}, {"address", true, true}} {
		t.Run("requests are counted for the "+c.key, func(t *testing.T) {
			w := start(t, "accept bearer\nrate 3 1h {\n\tkey "+c.key+"\n}\n")
			w.account(admin.NewAccount{Username: "bob"})
			w.account(admin.NewAccount{Username: "eve"})
			_, first := w.token("bob", "")
			_, second := w.token("bob", "")
			_, other := w.token("eve", "")
			for range 3 {
				w.passed(w.get("/x", bearerOf(first)))
			}
			got := w.get("/x", bearerOf(first))
			w.refused(got, http.StatusTooManyRequests)
			if got.header.Get("Retry-After") == "" {
				t.Error(got)
			}
			for token, same := range map[string]bool{second: c.tokens, other: c.accounts} {
				got := w.get("/x", bearerOf(token))
				if want := map[bool]int{true: 429, false: 200}[same]; got.status != want {
					t.Errorf("want %d, got %v", want, got)
				}
			}
		})
	}
}

func TestWholeObserve(t *testing.T) {
	w := start(t, "login management\nmode observe\nrequire /admin/* {\n\trole admin\n}")
	bob, _ := w.account(admin.NewAccount{Username: "bob"})
	_, token := w.token("bob", "")

	w.run("what would pass is forwarded with its credential and the caller", func(t *testing.T) {
		got := w.passed(w.get("/x", bearerOf(token), "X-Auth-Roles: root"))
		if got.Header.Get("Authorization") == "" || got.Header.Get("X-Auth-Subject") != bob.ID || got.Header.Get("X-Auth-Roles") != "" {
			t.Error(got)
		}
	})
	for name, fields := range map[string][]string{
		"no credential": nil, "a bad credential": {bearerOf("nothing")},
	} {
		w.run("what would be refused for "+name+" is forwarded as it came, without a caller", func(t *testing.T) {
			got := w.passed(w.get("/x", append(fields, "X-Auth-Subject: root")...))
			if len(fields) > 0 && got.Header.Get("Authorization") != "Bearer nothing" || got.Header.Get("X-Auth-Subject") != "" {
				t.Error(got)
			}
		})
	}
	w.run("a caller without the role too", func(t *testing.T) {
		if got := w.passed(w.get("/admin/x", bearerOf(token))); got.Header.Get("X-Auth-Subject") != "" {
			t.Error(got)
		}
	})
	w.run("the upstream answers its own logins", func(t *testing.T) {
		const body = `{"username":"ann","password":"theirs"}`
		if got := w.passed(w.post("/v1/auth/login", body, jsonType)); got.Body != body {
			t.Error(got)
		}
	})
	w.run("the audit log says what would have been refused", func(t *testing.T) {
		reasons := map[any]bool{}
		for _, line := range w.logged("http.handlers.gatehouse.audit", "refusal") {
			if line["observed"] != true {
				t.Errorf("a refusal that was carried out: %v", line)
			}
			reasons[line["reason"]] = true
		}
		for _, reason := range []string{"no_credential", "unknown", "role"} {
			if !reasons[reason] {
				t.Errorf("no line with the reason %s: %v", reason, reasons)
			}
		}
	})
}

// handle_errors is for errors of handlers. A refusal is an answer, in the shape
// that clients expect: it does not go there.
func TestWholeErrorsOfTheNextHandler(t *testing.T) {
	w := startSetting(t, setting{sites: `SITE {
	gatehouse {
		accept bearer
		public /open/*
	}
	error /open/teapot "a teapot" 418
	reverse_proxy /open/dead 127.0.0.1:1
	reverse_proxy UPSTREAM
	handle_errors {
		respond "{err.status_code} {err.message} of <{http.auth.user.username}>" {err.status_code}
	}
}
`})
	w.account(admin.NewAccount{Username: "bob"})
	_, token := w.token("bob", "")
	w.run("an error of what is behind the guard goes on unchanged", func(t *testing.T) {
		if got := w.get("/open/teapot", bearerOf(token)); got.status != 418 || got.body != "418 a teapot of <bob>" {
			t.Error(got)
		}
		if got := w.get("/open/dead"); got.status != 502 || !strings.HasPrefix(got.body, "502 dial tcp") || !strings.HasSuffix(got.body, " of <>") {
			t.Error(got)
		}
	})
	w.run("a refusal stays as it is, and is no error of the server", func(t *testing.T) {
		before := len(w.logged("http.log.error", ""))
		got := w.get("/x")
		w.refused(got, http.StatusUnauthorized)
		if want := `{"type":"about:blank","title":"Unauthorized","status":401}`; got.body != want ||
			got.header.Get("Content-Type") != "application/problem+json" {
			t.Error(got)
		}
		if after := len(w.logged("http.log.error", "")); after != before || before == 0 {
			t.Errorf("%d errors were logged before and %d after", before, after)
		}
	})
}

func TestWholeVerdictsAreTheSameOverEveryProtocol(t *testing.T) {
	w := prepare(t)
	w.site = strings.Replace(w.site, "http://127.0.0.1", "https://localhost", 1)
	w.load(setting{
		options: "skip_install_trust\n\tadmin off\n\tpersist_config off",
		sites:   strings.Replace(guardedSite(bothDialects), "SITE {", "SITE {\n\t"+withTLS, 1),
	})
	_, key := w.ann("editor")
	w.untilTLS()
	token := w.login(annName, annPassword)
	transport := w.client.Transport.(*http.Transport)
	h1 := transport.Clone()
	h1.TLSClientConfig.NextProtos = []string{"http/1.1"}
	h2 := transport.Clone()
	h2.ForceAttemptHTTP2 = true
	t.Cleanup(h1.CloseIdleConnections)
	t.Cleanup(h2.CloseIdleConnections)

	for name, c := range map[string]struct {
		method, path string
		fields       []string
		want         int
	}{
		"a token":                              {"GET", "/things", []string{bearerOf(token)}, 200},
		"a key":                                {"GET", "/things", []string{"x-api-key: " + key}, 200},
		"a token in the query":                 {"GET", "/things?Token=" + w.timedToken(key), nil, 200},
		"a forged identity":                    {"GET", "/things", []string{bearerOf(token), "X-Auth-Subject: root", "X-Auth-Roles: root"}, 200},
		"nothing":                              {"GET", "/things", nil, 401},
		"a forged identity alone":              {"GET", "/things", []string{"X-Auth-Subject: root"}, 401},
		"a bad token":                          {"GET", "/things", []string{bearerOf("nothing")}, 401},
		"two Authorization fields":             {"GET", "/things", []string{bearerOf(token), bearerOf("nothing")}, 400},
		"a path that reads two ways":           {"GET", "/a/%2e%2e/things", []string{bearerOf(token)}, 400},
		"an unknown method":                    {"FROB", "/things", []string{bearerOf(token)}, 405},
		"a login with two members of one name": {"POST", "/v1/auth/login", []string{jsonType}, 400},
	} {
		w.run(name, func(t *testing.T) {
			var answers []answer
			for _, rt := range []*http.Transport{h1, h2} {
				w.client.Transport = rt
				body := ""
				if c.method == "POST" {
					body = `{"username":"a","username":"b","password":"c"}`
				}
				got := w.do(c.method, c.path, body, c.fields...)
				if got.status != c.want {
					t.Errorf("want %d, got %v", c.want, got)
				}
				answers = append(answers, got)
			}
			if a, b := answers[0], answers[1]; a.seen == nil && a.body != b.body && c.method != "POST" {
				t.Errorf("%s over HTTP/1.1, %s over HTTP/2", a.body, b.body)
			}
			for _, a := range answers {
				if a.seen != nil && (strings.Contains(fmt.Sprint(a.seen.Header), "root") || a.seen.Header.Get("X-Auth-Username") != annName) {
					t.Errorf("the upstream was told %v", a.seen.Header)
				}
			}
		})
	}
	w.run("and both were spoken", func(t *testing.T) {
		for proto, rt := range map[string]*http.Transport{"HTTP/1.1": h1, "HTTP/2.0": h2} {
			r, _ := http.NewRequestWithContext(t.Context(), "GET", w.site+"/", nil)
			res, err := rt.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.Proto != proto {
				t.Errorf("%s instead of %s", res.Proto, proto)
			}
		}
	})
}

// timedToken logs in over timed_login.
func (w *whole) timedToken(key string) string {
	w.t.Helper()
	l := timedLogins(annName, key)[0]
	return l.tokenIn(w.t, w.post("/api/login", l.body, "Content-Type: "+l.media).body)
}

func TestWholeWebSockets(t *testing.T) {
	w := prepare(t)
	up := freeAddress(t)
	listener, err := net.Listen("tcp", up)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan *http.Request, 10)
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked <- r
		upgrade(rw)
	}), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	w.upstream = up
	w.load(setting{sites: guardedSite("accept bearer")})
	w.account(admin.NewAccount{Username: "bob"})
	_, token := w.token("bob", "")

	dial := func(field string) (*http.Response, *bufio.Reader, net.Conn) {
		c, err := net.Dial("tcp", w.host())
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.WriteString(c, "GET /socket HTTP/1.1\r\nHost: "+w.host()+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"+field+"\r\n")
		if err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(c)
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		return res, in, c
	}
	for name, field := range map[string]string{"without a credential": "", "with a bad one": bearerOf("nothing") + "\r\n"} {
		w.run("an upgrade "+name+" is refused before it reaches the upstream", func(t *testing.T) {
			res, _, c := dial(field)
			defer func() { _ = c.Close() }()
			if res.StatusCode != http.StatusUnauthorized || len(asked) > 0 {
				t.Error(res.Status, len(asked))
			}
		})
	}
	w.run("with a good one both sides talk", func(t *testing.T) {
		res, in, c := dial(bearerOf(token) + "\r\nX-Auth-Subject: root\r\n")
		defer func() { _ = c.Close() }()
		if res.StatusCode != http.StatusSwitchingProtocols {
			t.Fatal(res.Status)
		}
		if r := <-asked; r.Header.Get("X-Auth-Username") != "bob" || r.Header.Get("Authorization") != "" || r.Header.Get("X-Auth-Subject") == "root" {
			t.Errorf("the upstream was told %v", r.Header)
		}
		if _, err := io.WriteString(c, "hello\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := in.ReadString('\n'); err != nil || line != "hello\n" {
			t.Errorf("%q %v", line, err)
		}
	})
	// Caddy counts the bytes of a socket until its handler has ended, and reads
	// the counts without a lock when it is stopped before that.
	eventually(t, 20*time.Second, "the socket has ended", func() bool {
		text, err := os.ReadFile(filepath.Join(w.dir, "caddy.log"))
		return err == nil && bytes.Contains(text, []byte(`"status":101`))
	})
}

// upgrade answers 101 and sends back what it receives.
func upgrade(w http.ResponseWriter) {
	c, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	_, _ = io.Copy(c, buffered)
}
