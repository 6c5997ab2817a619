package caddymodule

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Two sites share a port; what is public on one is guarded on the other.
func TestP12NoFormOfAHostMixesPolicies(t *testing.T) {
	w, log := prepare(t), new(upstreamLog)
	up := httptest.NewServer(log)
	t.Cleanup(up.Close)
	w.upstream = up.URL
	_, port, err := net.SplitHostPort(w.host())
	if err != nil {
		t.Fatal(err)
	}
	site := func(host, path string) string {
		return strings.Replace(guardedSite("accept bearer\npublic "+path), "SITE", "http://"+host+":"+port, 1)
	}
	w.load(setting{sites: site("api.test", "/a/*") + site("other.test", "/b/*")})
	for name, c := range map[string]struct {
		hosts  string
		passes bool
	}{
		"the name":                    {"Host: api.test\r\n", true},
		"the name and the port":       {"Host: api.test:" + port + "\r\n", true},
		"upper case":                  {"Host: API.TEST\r\n", true},
		"another port":                {"Host: api.test:443\r\n", true},
		"a trailing dot":              {"Host: api.test.\r\n", false},
		"a user before the name":      {"Host: api.test@other.test\r\n", false},
		"the other as the user":       {"Host: other.test@api.test\r\n", false},
		"two hosts":                   {"Host: api.test\r\nHost: other.test\r\n", false},
		"two hosts, the other way":    {"Host: other.test\r\nHost: api.test\r\n", false},
		"two hosts on one line":       {"Host: api.test, other.test\r\n", false},
		"an empty host":               {"Host: \r\n", false},
		"no host":                     {"", false},
		"an address":                  {"Host: 127.0.0.1:" + port + "\r\n", false},
		"an address of six":           {"Host: [::1]\r\n", false},
		"a name in punycode":          {"Host: xn--api-.test\r\n", false},
		"letters of full width":       {"Host: \uff41pi.test\r\n", false},
		"a slash":                     {"Host: api.test/other.test\r\n", false},
		"a space":                     {"Host: api.test other.test\r\n", false},
		"a path in the name":          {"Host: other.test/b/x\r\n", false},
		"a number sign":               {"Host: api.test#other.test\r\n", false},
		"a folded line":               {"Host: api.test\r\n other.test\r\n", false},
		"a field that a proxy sets":   {"Host: api.test\r\nX-Forwarded-Host: other.test\r\nX-Host: other.test\r\nForwarded: host=other.test\r\n", true},
		"a space before the colon":    {"Host : other.test\r\nHost: api.test\r\n", false},
		"a name that is not a site's": {"Host: nobody.test\r\n", false},
	} {
		w.run(name, func(t *testing.T) {
			got := w.exchange(1, "GET /b/x HTTP/1.1\r\n"+c.hosts+"\r\n")
			for _, r := range log.take() { // /b/x is public on other.test alone
				if !strings.EqualFold(strings.Split(r.Host, ":")[0], "other.test") {
					t.Errorf("a guarded path reached the upstream for %q", r.Host)
				}
			}
			if c.passes && (len(got) != 1 || got[0].status != http.StatusUnauthorized) {
				t.Errorf("the site's own host was answered %v", got)
			}
			public := w.exchange(1, "GET /a/x HTTP/1.1\r\n"+c.hosts+"\r\n")
			if asked := log.take(); c.passes != (len(public) == 1 && len(asked) == 1) {
				t.Errorf("its public path was answered %v, the upstream asked %+v", public, asked)
			}
		})
	}
	w.run("more than a hundred hosts", func(t *testing.T) {
		for i := range 120 {
			w.exchange(1, fmt.Sprintf("GET /b/x HTTP/1.1\r\nHost: h%d.test\r\n\r\n", i))
		}
		if asked := log.take(); len(asked) != 0 {
			t.Errorf("the upstream was asked %+v", asked)
		}
		if got := w.exchange(1, "GET /b/x HTTP/1.1\r\nHost: api.test\r\n\r\n"); len(got) != 1 || got[0].status != http.StatusUnauthorized {
			t.Errorf("afterwards: %v", got)
		}
	})
	w.run("an absolute target rules over Host", func(t *testing.T) {
		w.exchange(1, "GET http://api.test:"+port+"/b/x HTTP/1.1\r\nHost: other.test\r\n\r\n")
		w.exchange(1, "GET http://other.test/a/x HTTP/1.1\r\nHost: api.test\r\n\r\n")
		if asked := log.take(); len(asked) != 0 {
			t.Errorf("the upstream was asked %+v", asked)
		}
	})
}

// statusOf makes a request whose answer may have no body.
func (w *whole) statusOf(method, path string, fields ...string) int {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.site+path, http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Add(name, value)
	}
	res, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestP14OtherMethodsTellNoMoreThanGet(t *testing.T) {
	const origin = "Origin: https://app.example.com"
	w, log := attackedTLS(t, "login management {\n\tcors https://app.example.com\n}\naccept bearer\npublic /public/*\nrequire /private/admin/* {\n\trole admin\n}")
	w.ann("editor")
	_, token := w.token(annName, "")
	w.overEach("HEAD and OPTIONS are judged as GET", func(t *testing.T) {
		for _, method := range []string{http.MethodHead, http.MethodOptions, http.MethodGet} {
			for _, c := range []struct {
				path   string
				fields []string
				status int
			}{
				{"/private", nil, 401},
				{"/private", []string{bearerOf("nothing")}, 401},
				{"/private", []string{bearerOf(token)}, 200},
				{"/private/admin/x", []string{bearerOf(token)}, 403},
				{"/public/x", nil, 200},
			} {
				if got := w.statusOf(method, c.path, c.fields...); got != c.status {
					t.Errorf("%s %s was answered %d, want %d", method, c.path, got, c.status)
				}
				if asked := log.take(); (len(asked) == 1) != (c.status == 200) {
					t.Errorf("%s %s: the upstream was asked %+v", method, c.path, asked)
				}
			}
		}
	})
	w.overEach("a preflight is answered here, and alike for every guarded path", func(t *testing.T) {
		ask := func(path string, more ...string) answer {
			return w.do(http.MethodOptions, path, "", append(more, "Access-Control-Request-Method: DELETE")...)
		}
		first := ask("/private", origin)
		if first.status != http.StatusNoContent {
			t.Fatal(first)
		}
		for _, path := range []string{"/private/admin/x", "/nothing/at/all", "/"} {
			got := ask(path, origin)
			got.header.Del("Date")
			first.header.Del("Date")
			if got.status != first.status || got.body != first.body || fmt.Sprint(got.header) != fmt.Sprint(first.header) {
				t.Errorf("%s: %v, but /private: %v", path, got, first)
			}
		}
		for name, got := range map[string]answer{
			"another origin": ask("/private", "Origin: https://evil.example"), "no origin": ask("/private"),
			"a null origin": ask("/private", "Origin: null"), "two origins": ask("/private", origin, "Origin: https://evil.example"),
		} {
			if got.status != http.StatusUnauthorized || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %v", name, got)
			}
		}
		if asked := log.take(); len(asked) != 0 {
			t.Errorf("the upstream was asked %+v", asked)
		}
	})
	w.overEach("a form that no browser asks about needs its credential", func(t *testing.T) {
		for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
			got := w.do(http.MethodPost, "/private", "a=b", "Content-Type: "+media, origin, "Cookie: session="+token)
			if asked := log.take(); got.status != http.StatusUnauthorized || len(asked) != 0 {
				t.Errorf("%s: %v", media, got)
			}
		}
	})
}
