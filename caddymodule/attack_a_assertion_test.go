package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
)

// TestAnAssertionIsAboutTheRequestThatCarriesIt, on whichever site, host, path
// and protocol switch it came, and never about one before it.
func TestAnAssertionIsAboutTheRequestThatCarriesIt(t *testing.T) {
	w := prepare(t)
	second := strings.Replace(w.site, "127.0.0.1:"+w.site[strings.LastIndexByte(w.site, ':')+1:], freeAddress(t), 1)
	site := func(address, audience, realm string) string {
		return address + " {\n\tgatehouse {\n\t\taccept bearer\n\t\trealm " + realm + "\n\t\tpublic /open/*\n\t\tidentity {\n\t\t\tassertion {\n\t\t\t\taudience " +
			audience + "\n\t\t\t}\n\t\t}\n\t}\n\treverse_proxy UPSTREAM\n}\n"
	}
	w.load(setting{sites: site("SITE", "orders", "default") + site(second, "bills", "default") + site(strings.Replace(w.site, "127.0.0.1", "localhost", 1), "others", "elsewhere")})
	ann, _ := w.account(admin.NewAccount{Username: annName, Roles: []string{"user"}})
	bob, _ := w.account(admin.NewAccount{Username: "bob"})
	_, byAnn := w.token(annName, "")
	_, byBob := w.token("bob", "")
	home := w.site
	for range 2 { // the second time all are cached
		for _, c := range []struct {
			site, method, path, token, audience, sub string
		}{
			{home, "GET", "/x", byAnn, "orders", ann.ID},
			{home, "GET", "/x", byBob, "orders", bob.ID},
			{second, "GET", "/x", byAnn, "bills", ann.ID},
			{home, "POST", "/x", byAnn, "orders", ann.ID},
			{home, "GET", "/X", byAnn, "orders", ann.ID},
			{home, "GET", "/x/", byAnn, "orders", ann.ID},
			{home, "GET", "/%78", byAnn, "orders", ann.ID},
			{home, "GET", "/zo%C3%AB", byAnn, "orders", ann.ID},
			{home, "GET", "/zo%c3%ab", byAnn, "orders", ann.ID},
			{home, "GET", "/x?path=/admin", byAnn, "orders", ann.ID},
			{home, "GET", "/a+b", byAnn, "orders", ann.ID},
			{home, "GET", "/a%2Bb", byAnn, "orders", ann.ID},
			{home, "GET", "/open/x", byBob, "orders", bob.ID},
		} {
			w.site = c.site
			got := w.passed(w.do(c.method, c.path, "", bearerOf(c.token), "X-Auth-Assertion: forged", "Connection: X-Auth-Assertion", "Connection: x-auth-assertion"))
			claims := segmentOf(t, got.Header.Get("X-Auth-Assertion"), 1)
			path, _, _ := strings.Cut(got.URI, "?")
			host := strings.TrimPrefix(c.site, "http://")
			want := fmt.Sprint(c.audience, c.sub, got.Method, host, path, "gatehouse:default")
			if told := fmt.Sprint(claims["aud"], claims["sub"], claims["htm"], claims["host"], claims["path"], claims["iss"]); told != want {
				t.Errorf("%s %s: the upstream was told %s, want %s", c.method, c.path, told, want)
			}
			if n := len(got.Header.Values("X-Auth-Assertion")); n != 1 {
				t.Errorf("%d assertions arrived", n)
			}
		}
	}
	w.site = home
	w.run("one spelling of a host is told, and the upstream's own comparison holds", func(t *testing.T) {
		got := w.raw("GET http://" + strings.ToUpper(w.host()) + "/x HTTP/1.1\r\nHost: " + w.host() + "\r\n" + bearerOf(byAnn) + "\r\nConnection: close\r\n\r\n")
		if !strings.Contains(got, `"URI":"/x"`) && !strings.Contains(got, " 400 ") {
			t.Error(got)
		}
	})
	w.run("another realm knows neither the caller nor the assertion", func(t *testing.T) {
		proof := w.passed(w.get("/x", bearerOf(byAnn))).Header.Get("X-Auth-Assertion")
		w.site = strings.Replace(home, "127.0.0.1", "localhost", 1)
		defer func() { w.site = home }()
		for _, fields := range [][]string{{bearerOf(byAnn)}, {bearerOf(proof)}, {"X-Auth-Assertion: " + proof}} {
			w.refused(w.get("/x", fields...), http.StatusUnauthorized)
			if got := w.passed(w.get("/open/x", fields...)); len(got.Header.Values("X-Auth-Assertion")) != 0 {
				t.Errorf("the upstream was told %v", got.Header)
			}
		}
	})
	w.run("a change of the caller is asserted on the next request", func(t *testing.T) {
		if _, err := w.admin("default").SetRoles(t.Context(), annName, []string{"reader"}); err != nil {
			t.Fatal(err)
		}
		claims := segmentOf(t, w.passed(w.get("/x", bearerOf(byAnn))).Header.Get("X-Auth-Assertion"), 1)
		if fmt.Sprint(claims["roles"]) != "[reader]" {
			t.Errorf("the roles are %v", claims["roles"])
		}
	})
	w.run("no other way to name the field takes it away", func(t *testing.T) {
		got := w.passed(w.get("/x", bearerOf(byBob), "Connection: keep-alive, X-Auth-Assertion", "Trailer: X-Auth-Assertion"))
		if segmentOf(t, got.Header.Get("X-Auth-Assertion"), 1)["sub"] != bob.ID || got.Header.Get("Trailer") != "" {
			t.Errorf("the upstream was told %v", got.Header)
		}
	})
}
