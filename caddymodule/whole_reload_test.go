package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// generation is a configuration that differs from the one before it, in the
// guard and around it.
func generation(n int) setting {
	return setting{options: "\tadmin off\n\tpersist_config off\n\tmetrics", sites: fmt.Sprintf(`
SITE {
	log
	gatehouse {
		login management
		login timed_login
		insecure_http
		public /open/%d /metrics
		require /admin/* {
			role admin
		}
	}
	metrics /metrics
	header X-Generation %d
	reverse_proxy UPSTREAM {
		transport http {
			keepalive off
		}
	}
}
`, n, n)}
}

// traffic is what clients go on asking while the configuration changes.
type traffic struct {
	fields []string
	path   string
	want   int
}

func TestG17AReloadUnderLoadAnswersNobodyWrongly(t *testing.T) {
	const reloads = 20
	w := startSetting(t, generation(0))
	_, key := w.ann("editor")
	opaque := w.login(annName, annPassword)
	locked := w.lockOut("bob")
	kinds := []traffic{
		{[]string{bearerOf(opaque)}, "/things", http.StatusOK},
		{[]string{bearerOf(opaque), "Connection: close"}, "/things", http.StatusOK}, // whoever comes anew meets the new one first
		{[]string{"x-api-key: " + key}, "/things", http.StatusOK},
		{[]string{bearerOf(opaque + "x")}, "/things", http.StatusUnauthorized},
		{[]string{"x-api-key: api_0123456789abcdefghijklmn"}, "/things", http.StatusUnauthorized},
		{nil, "/things", http.StatusUnauthorized},
		{[]string{bearerOf(opaque)}, "/admin/x", http.StatusForbidden},
	}
	for _, k := range kinds {
		if a := w.get(k.path, k.fields...); a.status != k.want {
			t.Fatal(a)
		}
	}
	handle, goroutines := w.runtime(), steadyGoroutines(w)
	passed := w.metric(`gatehouse_requests_total{reason="",verdict="passed"}`)

	load := w.keepAsking(kinds)
	load.keepLoggingIn(w, key)
	for n := 1; n <= reloads; n++ {
		before := load.asked.Load()
		w.load(generation(n))
		eventually(t, 30*time.Second, "clients get answers", func() bool { return load.asked.Load() >= before+50 })
		if got := w.runtime(); got != handle {
			t.Fatalf("reload %d opened the store again", n)
		}
	}
	load.stop(t)
	t.Logf("%d requests over %d reloads, %d of them without an answer", load.asked.Load(), reloads, load.broken.Load())

	w.run("the last configuration is at work", func(t *testing.T) {
		if got := w.get("/things", bearerOf(opaque)).header.Get("X-Generation"); got != fmt.Sprint(reloads) {
			t.Errorf("generation %s answered", got)
		}
		w.passed(w.get(fmt.Sprintf("/open/%d", reloads)))
		w.refused(w.get("/open/1"), http.StatusUnauthorized)
	})
	w.run("verdicts are still cached", func(t *testing.T) {
		before := handle.Resolver.Stats()
		for range 10 {
			w.passed(w.get("/things", bearerOf(opaque)))
		}
		after := handle.Resolver.Stats()
		if after.Hits != before.Hits+10 || after.Misses != before.Misses {
			t.Errorf("%+v became %+v", before, after)
		}
	})
	w.run("an account that was locked out still is", func(t *testing.T) {
		if a := w.tryLogin("bob", locked); a.status != http.StatusTooManyRequests || a.header.Get("Retry-After") == "" {
			t.Error(a)
		}
	})
	w.run("metrics go on counting", func(t *testing.T) {
		if got := w.metric(`gatehouse_requests_total{reason="",verdict="passed"}`); got < passed+float64(load.passed.Load()) {
			t.Errorf("%v requests passed before the reloads and %v since, but %v are counted", passed, load.passed.Load(), got)
		}
	})
	w.run("no goroutine stays behind", func(t *testing.T) {
		eventually(t, 20*time.Second, "as few goroutines as before", func() bool {
			return steadyGoroutines(w) <= goroutines+3
		})
	})
	w.run("nothing is held once Caddy has stopped", func(t *testing.T) {
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
		eventually(t, 10*time.Second, "the pool is empty", poolIsEmpty)
		if _, err := handle.Store.Changes.Latest(context.Background()); err == nil {
			t.Error("the store is still open")
		}
	})
}

// lockOut adds an account, fails to log in until it is locked, and returns its
// password.
func (w *whole) lockOut(name string) (password string) {
	w.t.Helper()
	password = "a password of " + name
	w.account(admin.NewAccount{Username: name, Password: auth.NewSecret(password)})
	for range 5 {
		if a := w.tryLogin(name, "not it at all"); a.status != http.StatusUnauthorized {
			w.t.Fatal(a)
		}
	}
	if a := w.tryLogin(name, password); a.status != http.StatusTooManyRequests {
		w.t.Fatal(a)
	}
	return password
}

// steadyGoroutines counts goroutines without those of idle connections.
func steadyGoroutines(w *whole) int {
	w.client.CloseIdleConnections()
	return runtime.NumGoroutine()
}

func poolIsEmpty() bool {
	empty := true
	runtimes.Range(func(any, any) bool { empty = false; return false })
	return empty
}

// load is a number of clients at work.
type load struct {
	asked, broken, passed atomic.Int64
	// over ends them after the request that each has under way. Those are not
	// cut off: the gateway would go on with one that nobody waits for any more,
	// beside whatever is looked at next.
	over  atomic.Bool
	done  sync.WaitGroup
	mu    sync.Mutex
	wrong []string
}

// keepAsking has a client for each kind of request ask until it is stopped.
func (w *whole) keepAsking(kinds []traffic) *load {
	l, ctx := &load{}, w.t.Context()
	for _, k := range kinds {
		l.done.Go(func() {
			for !l.over.Load() {
				a, err := w.try(ctx, http.MethodGet, w.site+k.path, "", k.fields...)
				l.note(k, a, err)
			}
		})
	}
	return l
}

// keepLoggingIn has a client log in and use its token at once.
func (l *load) keepLoggingIn(w *whole, key string) {
	login, ctx := timedLogins(annName, key)[0], w.t.Context()
	l.done.Go(func() {
		for !l.over.Load() {
			a, err := w.try(ctx, http.MethodPost, w.site+"/login", login.body, "Content-Type: "+login.media)
			_, rest, _ := strings.Cut(a.body, login.before)
			token, _, ok := strings.Cut(rest, login.after)
			if err != nil || !ok {
				l.note(traffic{path: "/login", want: http.StatusCreated}, a, err) // no login is answered so
				continue
			}
			use := traffic{path: "/things?Token=" + token, want: http.StatusOK}
			a, err = w.try(ctx, http.MethodGet, w.site+use.path, "")
			l.note(use, a, err)
		}
	})
}

func (l *load) note(k traffic, a answer, err error) {
	switch {
	case err != nil:
		l.broken.Add(1) // a connection that Caddy closed: it had no status at all
	case a.status != k.want || (a.seen != nil) != (k.want == http.StatusOK):
		l.mu.Lock()
		l.wrong = append(l.wrong, fmt.Sprintf("%q %s: want %d, got %v", k.fields, k.path, k.want, a))
		l.mu.Unlock()
	case k.want == http.StatusOK:
		l.passed.Add(1)
	}
	l.asked.Add(1)
}

func (l *load) stop(t *testing.T) {
	t.Helper()
	l.over.Store(true)
	l.done.Wait()
	if len(l.wrong) > 0 {
		t.Fatalf("%d wrong answers, the first: %s", len(l.wrong), l.wrong[0])
	}
}

// metric reads one sample from /metrics; 0 where it is not there.
func (w *whole) metric(sample string) float64 {
	w.t.Helper()
	return w.metrics()[sample]
}

// metrics reads what /metrics shows, as `name{label="value"}` and value.
func (w *whole) metrics() map[string]float64 {
	w.t.Helper()
	a := w.get("/metrics")
	if a.status != http.StatusOK {
		w.t.Fatal(a)
	}
	samples := map[string]float64{}
	for line := range strings.Lines(a.body) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		var value float64
		if _, err := fmt.Sscan(line[at+1:], &value); err != nil {
			w.t.Fatalf("%v: %q", err, line)
		}
		samples[line[:at]] = value
	}
	return samples
}

func TestWholeReloadToAnotherStore(t *testing.T) {
	w := start(t, "login management")
	_, key := w.ann()
	w.passed(w.get("/things", "x-api-key: "+key))
	first := w.runtime()

	w.load(setting{gatehouse: "\n\t\tstore sqlite DIR/other.db", sites: guardedSite("login management")})
	if w.runtime() == first {
		t.Fatal("the first store is still in use")
	}
	w.refused(w.get("/things", "x-api-key: "+key), http.StatusUnauthorized)
	eventually(t, 10*time.Second, "the first store is closed", func() bool {
		_, err := first.Store.Changes.Latest(context.Background())
		return err != nil
	})
}

func TestWholeReloadWithAnotherKeyRing(t *testing.T) {
	s := setting{
		gatehouse: "\n\t\tstore sqlite DIR/gatehouse.db\n\t\tkey_ring DIR/keys",
		sites:     guardedSite("login management {\n\tformat jwt\n}\n"),
	}
	w := prepare(t)
	file := filepath.Join(w.dir, "keys")
	first, second := token.NewRing(), token.NewRing()
	write := func(text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(first)
	w.load(s)
	w.ann()
	jwt := w.login(annName, annPassword)
	handle := w.runtime()

	w.run("the same keys change nothing, wherever they stand", func(t *testing.T) {
		if err := os.WriteFile(file+"2", first, 0o600); err != nil {
			t.Fatal(err)
		}
		moved := s
		moved.gatehouse += "2"
		for _, s := range []setting{s, moved} {
			w.load(s)
			if w.runtime() != handle {
				t.Error("the store was opened again")
			}
		}
	})
	w.run("a new key before the old one is used, and what the old one sealed is still read", func(t *testing.T) {
		at := strings.LastIndexByte(strings.TrimSpace(string(second)), '\n') + 1
		write(append(second, first[at:]...)) // both have the same lines before their keys
		w.load(s)
		if w.runtime() == handle {
			t.Error("the old key ring is still at work")
		}
		w.passed(w.get("/x", bearerOf(jwt)))
		w.passed(w.get("/x", bearerOf(w.login(annName, annPassword))))
	})
	w.run("a key file that broke leaves the old one at work", func(t *testing.T) {
		write([]byte("nothing"))
		if err := caddy.Load(w.config(s), true); err == nil {
			t.Fatal("it was loaded")
		}
		w.passed(w.get("/x", bearerOf(jwt)))
	})
}

func TestWholeReloadWithLessTrust(t *testing.T) {
	s := func(staleness string) setting {
		return setting{
			gatehouse: "\n\t\tstore sqlite DIR/gatehouse.db\n\t\tmax_staleness " + staleness,
			sites:     guardedSite("accept api_key"),
		}
	}
	w := startSetting(t, s("1h"))
	_, key := w.ann()
	field := "x-api-key: " + key
	w.passed(w.get("/x", field))
	handle := w.runtime()
	w.load(s("1s"))
	if w.runtime() != handle {
		t.Fatal("the store was opened again")
	}
	w.account(admin.NewAccount{Username: "bob"}) // a sign of life of the store
	w.passed(w.get("/x", field))
	if err := handle.Store.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 4*time.Second, "a store that is silent is not trusted for an hour", func() bool {
		return w.get("/x", field).status == http.StatusServiceUnavailable
	})
}
