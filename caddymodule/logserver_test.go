package caddymodule

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// leakySite logs all that Caddy can be told to log, in our format.
const leakySite = `{
	admin off
	auto_https off
	persist_config off
	storage file_system %[1]s
	log {
		level DEBUG
		output file %[1]s/log
		format gatehouse
	}
	servers {
		trace
		log_credentials
	}
	gatehouse {
		store sqlite %[1]s/gatehouse.db
	}
}

http:// {
	bind 127.0.0.1
	log
	gatehouse {
		accept api_key X-Licence-Key
		accept query licence
		public /*
		insecure_http
		identity {
			keep_credentials
		}
	}
	rewrite /old/* /new?licence={query.licence}
	reverse_proxy /down* 127.0.0.1:1
	reverse_proxy %[2]s
}
`

// TestNoCredentialInTheLogsOfARealServer sends a secret in every place that a
// client could, to an upstream that gives it back, and to one that is not
// there, and reads everything that Caddy logged.
func TestNoCredentialInTheLogsOfARealServer(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "/next?licence="+r.URL.Query().Get("licence"))
		w.Header().Set("X-Licence-Key", r.Header.Get("X-Licence-Key"))
		w.Header().Set("Set-Cookie", "session="+r.URL.Query().Get("licence"))
	}))
	defer upstream.Close()
	dir := t.TempDir()
	base := runCaddy(t, fmt.Sprintf(leakySite, dir, upstream.Listener.Addr()))
	for _, target := range []string{
		"/a?page=2&licence=" + planted, "/old/a?LICENCE=" + planted, "/down?licence=" + planted,
		"/?next=%2Fa%3Flicence%3D" + planted,
	} {
		sendPlanted(t, base+target)
	}
	stopCaddy(t)
	text, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{"http.log.access", "http.log.error", "http.handlers.reverse_proxy", "page=2", "[redacted]"} {
		if !strings.Contains(string(text), shown) {
			t.Errorf("the log lacks %q: this test shows nothing", shown)
		}
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, planted) {
			t.Errorf("shown: %s", line)
		}
		if strings.Contains(line, "a log would show credentials") {
			t.Errorf("a warning without a reason: %s", line)
		}
	}
}

func sendPlanted(t *testing.T, url string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Authorization", "Cookie", "X-Licence-Key", "X-Api-Key", "Apikey", "Token", "Userid"} {
		r.Header.Set(name, planted)
	}
	r.Header.Set("Referer", url)
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
}

// runCaddy runs a Caddyfile with one server, on a port that is free, and
// returns where it listens.
func runCaddy(t *testing.T, body string) string {
	t.Helper()
	out, _, err := adapt([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	config := strings.ReplaceAll(string(out), `:80"`, `:0"`)
	if err := caddy.Load([]byte(config), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		t.Fatal(err)
	}
	for _, srv := range app.(*caddyhttp.App).Servers {
		for _, ln := range srv.Listeners() {
			return "http://" + ln.Addr().(*net.TCPAddr).String()
		}
	}
	t.Fatal("no server listens")
	return ""
}

func stopCaddy(t *testing.T) {
	t.Helper()
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
}
