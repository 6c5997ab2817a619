package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// What is decided on is what the upstream will see, whatever handlers before
// the guard have made of the request.
func TestWholeRewritesBeforeTheGuard(t *testing.T) {
	w := startSetting(t, setting{sites: `SITE {
	log
	route {
		uri /api/* strip_prefix /api
		rewrite /secret-door /admin/x
		rewrite /asks /things?Token=planted
		uri /raw/* path_regexp ^/raw /open
		gatehouse {
			login management
			accept bearer
			accept query Token
			insecure_http
			public /open/*
			require /admin/* {
				role admin
			}
		}
		reverse_proxy UPSTREAM
	}
}
`})
	w.ann("editor")
	_, token := w.token(annName, "")
	for _, c := range []struct {
		name, path, field string
		status            int
		uri               string
	}{
		{"a prefix that was taken away", "/api/things?a=b", bearerOf(token), 200, "/things?a=b"},
		{"a prefix that was taken away from a public path", "/api/open/x", "X-Nothing: x", 200, "/open/x"},
		{"a public path that was put in front of another", "/open/x/../../things", "X-Nothing: x", 400, ""},
		{"a path that was public only before", "/api/things", "X-Nothing: x", 401, ""},
		{"a path that became restricted", "/secret-door", bearerOf(token), 403, ""},
		{"a path that hides dots behind what is taken away", "/api/open/%2e%2e/things", "X-Nothing: x", 401, ""},
		{"a path whose dots Caddy takes away too", "/api/open/%2e%2e/things", bearerOf(token), 200, "/things"},
		{"a path that becomes one with dots", "/raw/%2e%2e/things", "X-Nothing: x", 400, ""},
		{"a query that a handler wrote is judged as the client's", "/asks", "X-Nothing: x", 401, ""},
		{"a token in the query behind a prefix", "/api/things?Token=" + token + "&a=b", "X-Nothing: x", 200, "/things?a=b"},
	} {
		w.run(c.name, func(t *testing.T) {
			got := w.get(c.path, c.field)
			if got.status != c.status || (got.seen != nil) != (c.status == http.StatusOK) {
				t.Fatal(got)
			}
			if got.seen != nil && got.seen.URI != c.uri {
				t.Errorf("the upstream was asked for %s", got.seen.URI)
			}
		})
	}
	w.run("a login stands where its path is then", func(t *testing.T) {
		got := w.post("/api/v1/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, annName, annPassword), jsonType)
		if got.status != http.StatusOK {
			t.Error(got)
		}
	})
}

func TestWholeClientAddresses(t *testing.T) {
	const block = "accept api_key"
	trusting := setting{
		options: "admin off\n\tpersist_config off\n\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t}", sites: guardedSite(block),
	}
	w := start(t, block)
	w.ann()
	_, secret, err := w.admin(gateway.DefaultRealm).CreateKey(t.Context(), admin.NewKey{
		Account: annName, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
	})
	if err != nil {
		t.Fatal(err)
	}
	key := "x-api-key: " + secret.Reveal()
	w.run("an address that a client claims is not believed", func(*testing.T) {
		for _, claim := range []string{"X-Forwarded-For: 192.0.2.1", "X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1"} {
			w.refused(w.get("/x", key, claim), http.StatusUnauthorized)
		}
	})
	w.load(trusting)
	w.run("one that a trusted proxy tells is", func(*testing.T) {
		w.passed(w.get("/x", key, "X-Forwarded-For: 192.0.2.1"))
		w.refused(w.get("/x", key, "X-Forwarded-For: 198.51.100.1"), http.StatusUnauthorized)
		w.refused(w.get("/x", key), http.StatusUnauthorized)
	})
}

func TestWholeRealmsAreApart(t *testing.T) {
	w := prepare(t)
	first, second := w.site, "http://"+freeAddress(t)
	site := func(address, realm string) string {
		return strings.Replace(guardedSite("login management {\n\tformat jwt\n}\naccept bearer api_key\nrealm "+realm), "SITE", address, 1)
	}
	w.load(setting{sites: site(first, "one") + site(second, "two")})
	one := w.admin("one")
	if _, err := one.AddAccount(t.Context(), admin.NewAccount{Username: annName, Password: auth.NewSecret(annPassword)}); err != nil {
		t.Fatal(err)
	}
	_, key, err := one.CreateKey(t.Context(), admin.NewKey{Account: annName})
	if err != nil {
		t.Fatal(err)
	}
	_, opaque, err := one.CreateToken(t.Context(), annName, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	fields := []string{bearerOf(w.login(annName, annPassword)), bearerOf(opaque.Reveal()), "x-api-key: " + key.Reveal()}
	for _, field := range fields {
		w.passed(w.get("/x", field))
	}
	w.site = second
	for _, field := range fields {
		got := w.get("/x", field)
		w.refused(got, http.StatusUnauthorized)
	}
	if got := w.tryLogin(annName, annPassword); got.status != http.StatusUnauthorized {
		t.Error(got)
	}
}

// Each request of a connection is judged alone.
func TestWholeRequestsOfOneConnection(t *testing.T) {
	w := start(t, "accept bearer\npublic /open/*")
	w.ann()
	_, token := w.token(annName, "")
	c, err := net.Dial("tcp", w.host())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	in := bufio.NewReader(c)
	line := func(path, field string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: " + w.host() + "\r\n" + field + "\r\n"
	}
	credential := bearerOf(token) + "\r\n"
	requests := []struct {
		text   string
		status int
	}{
		{line("/x", credential), 200},
		{line("/x", ""), 401},
		{line("/open/x", ""), 200},
		{line("/x", bearerOf("nothing")+"\r\n"), 401},
		{line("/x", credential), 200},
		{line("/x", ""), 401},
	}
	for _, pipelined := range []bool{false, true} {
		if pipelined {
			for _, r := range requests {
				if _, err := io.WriteString(c, r.text); err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, r := range requests {
			if !pipelined {
				if _, err := io.WriteString(c, r.text); err != nil {
					t.Fatal(err)
				}
			}
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != r.status {
				t.Errorf("request %d (pipelined %v) was answered %s: %s", i, pipelined, res.Status, body)
			}
			if r.text == line("/open/x", "") && strings.Contains(string(body), annName) {
				t.Errorf("an anonymous request was told of as %s", body)
			}
		}
	}
}
