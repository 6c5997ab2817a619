package caddymodule

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
)

// TestT10 counts a few hundred; package token counts a million.
func TestT10TokensOfTwoNodesAreAllDifferent(t *testing.T) {
	e := startEvery(t, "")
	nodes := []string{e.site, e.node(everyLogin)}
	seen := map[string]string{}
	note := func(dialect, text string) {
		if before, ok := seen[text]; ok {
			t.Errorf("%s gave what %s had given", dialect, before)
		}
		if seen[text] = dialect; len(text) < 22 {
			t.Errorf("%s gave a token of %d bytes", dialect, len(text))
		}
	}
	// given asks 60 times at once. Two processes write to one file, and on a slow
	// disk some are told to come back.
	given, want := func(r request) (given []answer) {
		for _, a := range e.atOnce(60, r, nodes...) {
			if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
				given = append(given, a)
			}
		}
		return given
	}, 0
	timed := request{http.MethodPost, "/login", `{"UserLogin":"ann","ApiKey":"` + e.ann.key + `"}`, []string{jsonType}}
	client := e.oauth2Request(e.ann, "/token", map[string][]string{"grant_type": {"client_credentials"}})
	link := request{http.MethodPost, "/feathers/login-token", "{}", []string{jsonType, bearerOf(e.logIn("login_token", e.ann))}}
	for range 3 {
		for _, a := range given(timed) {
			want++
			note("timed_login", e.tokenOf("timed_login", a))
		}
		for _, a := range given(client) {
			want += 2
			note("oauth2", e.tokenOf("oauth2", a))
			note("oauth2", memberOf(t, a.body, "refresh_token"))
		}
		for _, a := range given(link) {
			want += 2
			note("login_token", memberOf(t, a.body, "token"))
			note("login_token", memberOf(t, a.body, "id"))
		}
	}
	for _, dialect := range []string{"login_token", "management", "crm_token"} { // each costs the hash of a password
		for range 3 {
			note(dialect, e.logIn(dialect, e.ann))
		}
	}
	for _, p := range []party{e.ann, e.bob} {
		note("entity_token", e.logIn("entity_token", p))
	}
	if len(seen) != want+9+2 || want < 3*60 {
		t.Errorf("%d tokens were counted of %d and 11", len(seen), want)
	}
}

// TestT11: what logs, metrics and files hold is for TestWholeSecrets to say, of
// every credential; this is about what is answered and forwarded.
func TestT11ATokenLeaksThroughNoChannel(t *testing.T) {
	e := &every{whole: startSetting(t, setting{
		options: "admin off\n\tpersist_config off\n\tmetrics",
		sites: "SITE {\n\tlog\n\tgatehouse {\n" + everyLogin + "\n\t\tdebug\n\t\tpublic /metrics /open/*\n\t\trequire /admin/* {\n\t\t\trole admin\n\t\t}\n\t}\n" +
			"\tmetrics /metrics\n\treverse_proxy UPSTREAM\n}\n",
	})}
	e.ann = e.party(annName, annPassword, "Acme", "user")
	var secrets []string
	leaks := func(where, text string) {
		for _, secret := range secrets {
			if form := formIn([]byte(text), secret); form != "" {
				e.t.Errorf("%s holds a token as %s: %.400s", where, form, text)
			}
		}
	}
	for _, dialect := range table.Names() {
		token := e.logIn(dialect, e.ann)
		secrets = append(secrets, token)
		e.run(dialect+": an answer of the gateway repeats none, and tells of none", func(t *testing.T) {
			path, fields := guardedCall(dialect, token, e.ann)
			admin := strings.Replace(path, "/x", "/admin/x", 1)
			for _, a := range []answer{
				e.get(admin, fields...), e.get(path, append(fields, bearerOf("a b"), bearerOf("c"))...), e.do("FROB", path, "", fields...),
				e.get("/"+path, fields...), e.get("/x?Token="+token+"&Token="+token, fields...), e.get("/x?access_token=" + token),
				e.get("/feathers/login/x" + token), e.get("/login?Token=" + token), e.get("/oauth2/x?token=" + token),
			} {
				if a.seen != nil || a.header.Get("Location") != "" || a.header.Get("Server-Timing") != "" || a.header.Get("Set-Cookie") != "" {
					t.Error(a)
				}
				if a.header.Get("Cache-Control") != "no-store" {
					t.Errorf("a cache may keep it: %v", a)
				}
				leaks("an answer", a.String())
			}
		})
		e.run(dialect+": the upstream is told of none, on a public path neither", func(*testing.T) {
			path, fields := guardedCall(dialect, token, e.ann)
			for _, to := range []string{path, strings.Replace(path, "/x", "/open/x", 1)} {
				leaks("what the upstream got", fmt.Sprintf("%+v", e.passed(e.get(to, fields...))))
			}
		})
	}
	metrics := e.get("/metrics")
	if !strings.Contains(metrics.body, "gatehouse_requests_total") {
		t.Fatal(metrics)
	}
	leaks("/metrics", metrics.body)
	log, err := os.ReadFile(filepath.Join(e.dir, "caddy.log"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		leaks("the log", line)
	}
}
