package caddymodule

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// withAdmin starts a Caddy whose admin API listens and which keeps its
// configuration, as Caddy does unless it is told otherwise.
func withAdmin(t *testing.T, s setting) (w *whole, api string) {
	t.Helper()
	w = prepare(t)
	api = freeAddress(t)
	s.options += "\n\tadmin " + api + "\n\tmetrics"
	w.load(s)
	return w, api
}

// TestO04NoPageOfABrowserReachesTheAdminAPI: neither Caddy's own calls nor
// what stands below /gatehouse.
func TestO04NoPageOfABrowserReachesTheAdminAPI(t *testing.T) {
	w, api := withAdmin(t, setting{sites: guardedSite("accept api_key")})
	_, key := w.ann()
	ask := func(method, path, host, body string, fields ...string) answer {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+api+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		for _, f := range fields {
			name, value, _ := strings.Cut(f, ": ")
			r.Header.Add(name, value)
		}
		res, err := w.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{status: res.StatusCode, header: res.Header, body: string(text)}
	}
	_, port, err := net.SplitHostPort(api)
	if err != nil {
		t.Fatal(err)
	}
	const empty = `{"apps":{}}`
	paths := map[string]string{
		"/load": http.MethodPost, "/stop": http.MethodPost, "/config/": http.MethodGet, "/config/apps/gatehouse": http.MethodDelete,
		"/adapt": http.MethodPost, "/metrics": http.MethodGet, "/gatehouse": http.MethodGet, "/gatehouse/health": http.MethodGet,
		"/gatehouse/anything": http.MethodPost, "/debug/pprof/heap": http.MethodGet,
	}
	for name, c := range map[string]struct {
		host   string
		fields []string
	}{
		"of another site":                   {api, []string{"Origin: https://evil.example"}},
		"of a site that has the port":       {api, []string{"Origin: http://evil.example:" + port}},
		"of a file or a sandbox":            {api, []string{"Origin: null"}},
		"that sends without asking":         {api, []string{"Sec-Fetch-Mode: no-cors", "Content-Type: text/plain"}},
		"that has no Origin but is a page":  {api, []string{"Sec-Fetch-Mode: navigate", "Sec-Fetch-Site: cross-site"}},
		"whose name leads here":             {"evil.example", nil},
		"whose name and port lead here":     {"evil.example:" + port, []string{"Origin: http://evil.example:" + port}},
		"that comes through a name of ours": {"127.0.0.1.evil.example:" + port, nil},
	} {
		w.run("a page "+name, func(t *testing.T) {
			for path, method := range paths {
				a := ask(method, path, c.host, empty, append([]string{"Content-Type: application/json"}, c.fields...)...)
				if a.status != http.StatusForbidden && a.status != http.StatusBadRequest {
					t.Errorf("%s %s: %v", method, path, a)
				}
				if a.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s %s may be read: %v", method, path, a)
				}
			}
		})
	}
	w.run("the configuration is what it was", func(*testing.T) {
		w.passed(w.get("/x", "x-api-key: "+key))
	})
	w.run("a command line reaches it", func(t *testing.T) {
		if a := ask(http.MethodGet, "/config/", api, ""); a.status != http.StatusOK {
			t.Error(a)
		}
	})
	w.run("the guarded site leads to none of it", func(*testing.T) {
		for path := range paths {
			w.refused(w.get(path), http.StatusUnauthorized)
		}
	})
}

// TestO05NoSecretStandsInTheConfiguration, neither as the admin API shows it
// nor as Caddy saves it: what is a placeholder stays one, and what was made
// here never gets there.
func TestO05NoSecretStandsInTheConfiguration(t *testing.T) {
	const canary = "planted-value-of-the-environment"
	t.Setenv("GATEHOUSE_TEST_CANARY", canary)
	w, api := withAdmin(t, setting{
		gatehouse: "\n\t\tstore sqlite DIR/{env.GATEHOUSE_TEST_CANARY}.db", sites: guardedSite(everyDialect),
	})
	m := addMember(t, w.admin("default"))
	m.login(w, w.site)
	w.load(setting{
		options: "\n\tadmin " + api + "\n\tmetrics", gatehouse: "\n\t\tstore sqlite DIR/{env.GATEHOUSE_TEST_CANARY}.db",
		sites: guardedSite(everyDialect + "\n\t\trealm default"),
	})
	shown, err := w.try(t.Context(), http.MethodGet, "http://"+api+"/config/", "")
	if err != nil || shown.status != http.StatusOK {
		t.Fatal(err, shown)
	}
	saved, err := os.ReadFile(caddy.ConfigAutosavePath)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := os.ReadFile(filepath.Join(w.dir, "caddy/gatehouse/key_ring"))
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"the environment": canary, "the password": m.password, "the key": m.key, "the key of the tenant": m.tenantKey}
	for name, token := range m.good {
		secrets[name] = token
	}
	for i, line := range strings.Fields(string(ring)) {
		if len(line) > 20 {
			secrets["the key ring "+string(rune('a'+i))] = line
		}
	}
	for where, text := range map[string]string{"/config/": shown.body, "autosave.json": string(saved)} {
		if !strings.Contains(text, "{env.GATEHOUSE_TEST_CANARY}") {
			t.Errorf("%s does not show the placeholder: nothing was looked at: %s", where, text)
		}
		for what, secret := range secrets {
			if form := formIn([]byte(text), secret); form != "" {
				t.Errorf("%s shows %s as %s", where, what, form)
			}
		}
	}
}

// TestO09NoMetricOrProfileNamesAnyone: figures are for whoever may scrape.
func TestO09NoMetricOrProfileNamesAnyone(t *testing.T) {
	w, api := withAdmin(t, setting{
		sites: strings.Replace(guardedSite(everyDialect), "reverse_proxy", "metrics /open/metrics\n\treverse_proxy", 1),
	})
	m := addMember(t, w.admin("default"))
	const name, mail, path = "canary-of-a-name", "canary@of.example", "canary-of-a-path"
	row, err := w.admin("default").AddAccount(t.Context(), admin.NewAccount{
		Username: name, Email: mail, Password: auth.NewSecret(annPassword), Roles: []string{"canary-of-a-role"},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.login(w, w.site)
	token := w.login(name, annPassword)
	w.tryLogin(mail, "canary-of-a-password")
	w.tryLogin("canary-of-nobody", "canary-of-a-password")
	w.passed(w.get("/"+path+"?canary-of-a-query=1", bearerOf(token), "User-Agent: canary-of-a-browser"))
	w.refused(w.get("/"+path, bearerOf("canary-of-a-token")), http.StatusUnauthorized)
	w.refused(w.get("/admin/"+path, bearerOf(token)), http.StatusForbidden)

	// Profiles name functions, some of which have canaries of their own.
	planted := []string{"canary-of", name, mail, path, row.ID, token, m.member, m.tenant, m.password, m.key, m.tenantKey}
	for _, token := range m.good {
		planted = append(planted, token)
	}
	for _, at := range []string{
		w.site + "/open/metrics", "http://" + api + "/metrics", "http://" + api + "/debug/vars",
		"http://" + api + "/debug/pprof/goroutine?debug=2", "http://" + api + "/debug/pprof/heap?debug=1",
	} {
		a, err := w.try(t.Context(), http.MethodGet, at, "")
		if err != nil || a.status != http.StatusOK || a.body == "" {
			t.Fatal(at, err, a.status)
		}
		if strings.HasSuffix(at, "/metrics") && !strings.Contains(a.body, "gatehouse_logins_total") {
			t.Errorf("%s has no figures of ours: nothing was looked at", at)
		}
		for _, text := range planted {
			if strings.Contains(a.body, text) {
				t.Errorf("%s names %q", at, text)
			}
		}
	}
}
