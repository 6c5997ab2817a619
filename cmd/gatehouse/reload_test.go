package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// reloadRounds is how often the configuration changes in every run. The promise
// is about 100, which GATEHOUSE_RELOADS=100 has it do.
const reloadRounds = 12

// reloadSite is a configuration: with the options of a gatehouse and a guard, or
// with neither, for Caddy alone.
const reloadSite = `{
	auto_https off
	log {
		format gatehouse
		level WARN
	}
	%s
}

http://:{$PORT} {
	bind 127.0.0.1
	header X-Generation %d
	%s
	respond "passed"
}
`

const reloadGuard = `gatehouse {
		login management {
			ttl 24h
			attempts 5 1h
		}
		login oauth2
		insecure_http
		errors problem
		public /open/%d
		require /admin/* {
			role admin
		}
	}`

// reloaded is a gateway whose configuration changes, and Caddy alone beside it
// which the same happens to.
type reloaded struct {
	*testing.T
	guarded, bare *gateway
	// storage are the options of gatehouse.
	storage string
	// held counts what else the gateway holds open, by name.
	held map[string]func() int

	good, key, keyID, revoked string
	tally                     reloadTally
}

// reloadTally is what came of the requests.
type reloadTally struct {
	asked, askedAlone, logins atomic.Int64
	// guarded and bare are requests without an answer.
	guarded, bare atomic.Int64
	mu            sync.Mutex
	// wrong are answers with another status, letIn those that passed without
	// the right to.
	wrong, letIn, broken []string
	// late are answers 503, which each need a store that took too long: that is
	// the machine's doing, on which more runs than it has processors for.
	late int
}

func (l *reloadTally) add(list *[]string, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*list = append(*list, fmt.Sprintf(format, args...))
}

func TestReloadsUnderLoad(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "gatehouse.db")
		newReloaded(t, "store sqlite "+file, nil).run()
	})
	t.Run("postgresql with redis", func(t *testing.T) {
		db, sessions := testserver.Postgres(t), testserver.Redis(t)
		storage := fmt.Sprintf("store postgres %q {\n\t\t\tmax_connections 6\n\t\t}\n\t\tsessions redis %q", db.DSN(), sessions.URL())
		newReloaded(t, storage, map[string]func() int{
			"connections to PostgreSQL": func() int { return clientsOf(t, db) },
			"connections to Redis": func() int {
				return strings.Count(fmt.Sprint(sessions.Must("CLIENT", "LIST")), "name=gatehouse") // so all of its own
			},
		}).run()
	})
}

// clientsOf counts the connections of the gateway.
func clientsOf(t *testing.T, db *testserver.PostgresServer) (n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	conn, err := pgx.Connect(ctx, db.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'gatehouse'").Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func newReloaded(t *testing.T, storage string, held map[string]func() int) *reloaded {
	t.Helper()
	r := &reloaded{T: t, storage: storage, held: held, guarded: newGateway(t, t.TempDir()), bare: newGateway(t, t.TempDir())}
	if r.held == nil {
		r.held = map[string]func() int{}
	}
	r.held["goroutines"] = func() int { return r.metric("go_goroutines") }
	r.held["file descriptors"] = func() int { return r.metric("process_open_fds") }
	for g, text := range map[*gateway]string{r.guarded: r.guardedSite(0), r.bare: r.bareSite(0)} {
		if err := os.WriteFile(filepath.Join(g.folder, "Caddyfile"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		g.env = append(g.env, "GOMAXPROCS=2") // by which SQLite has at most five readers
		g.start("run")
	}
	r.guarded.imported("", [2]string{"ann", "user"}, [2]string{"bob", "user"})
	printed := r.guarded.admin("", "key", "create", "--account", "ann", "--permissions", "read,write")
	r.keyID, r.key = fmt.Sprint(printed["id"]), fmt.Sprint(printed["key"])
	return r
}

func (r *reloaded) guardedSite(n int) string {
	return fmt.Sprintf(reloadSite, "gatehouse {\n\t\t"+r.storage+"\n\t}", n, fmt.Sprintf(reloadGuard, n))
}

func (r *reloaded) bareSite(n int) string { return fmt.Sprintf(reloadSite, "", n, "") }

// adminOf is where a gateway's configuration is changed.
func adminOf(g *gateway) string {
	i := slices.IndexFunc(g.env, func(one string) bool { return strings.HasPrefix(one, "CADDY_ADMIN=127") })
	return "http://" + strings.TrimPrefix(g.env[i], "CADDY_ADMIN=")
}

// askAdmin asks the admin API, over a connection of its own since a reload ends
// those that are open.
func (r *reloaded) askAdmin(g *gateway, method, path, body string) string {
	r.Helper()
	request, err := http.NewRequest(method, adminOf(g)+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/caddyfile")
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		r.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		r.Fatalf("%s: %s %s %v\n%s", path, answer.Status, text, err, g.output())
	}
	return string(text)
}

// metric reads a metric without labels.
func (r *reloaded) metric(name string) int {
	r.Helper()
	text := r.askAdmin(r.guarded, http.MethodGet, "/metrics", "")
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		r.Fatalf("there is no metric %s", name)
	}
	x, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		r.Fatal(err)
	}
	return int(x)
}

// reload has both change their configuration, one after the other and each as
// often first. At the same time the one that takes longer would close its old
// listener while the other keeps the processors busy, which leaves more
// connections waiting there.
func (r *reloaded) reload(n int) {
	r.Helper()
	order := []func(){
		func() { r.askAdmin(r.guarded, http.MethodPost, "/load", r.guardedSite(n)) },
		func() { r.askAdmin(r.bare, http.MethodPost, "/load", r.bareSite(n)) },
	}
	if n%2 == 0 {
		slices.Reverse(order)
	}
	for _, change := range order {
		change()
		r.underLoad()
	}
}

// eventually waits until a condition holds.
func (r *reloaded) eventually(what string, holds func() bool) {
	r.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(startTime); !holds(); <-tick.C {
		if time.Now().After(end) {
			r.Fatalf("not within %v: %s\n%s", startTime, what, r.guarded.output())
		}
	}
}

// asking is one client.
type asking struct {
	*reloaded
	client http.Client
	// alone says that it asks Caddy alone, in which case it does not expect
	// any other answer than that; anew has it connect for every request.
	alone, anew bool
	pace        *time.Ticker
}

// asked is an answer; without one its status is 0.
type asked struct {
	status int
	body   string
}

// ask sends a request when it is time to.
func (a *asking) ask(method, path, body string, lines ...string) asked {
	<-a.pace.C
	g, broken := a.guarded, &a.tally.guarded
	if a.alone {
		g, broken = a.bare, &a.tally.bare
	}
	got, err := a.send(g, method, path, body, lines)
	if err != nil {
		broken.Add(1)
		a.tally.add(&a.tally.broken, "%s %s, alone %t, anew %t: %v", method, path, a.alone, a.anew, err)
		got.status = 0
	}
	if a.alone {
		a.tally.askedAlone.Add(1)
	} else {
		a.tally.asked.Add(1)
	}
	return got
}

func (a *asking) send(g *gateway, method, path, body string, lines []string) (asked, error) {
	request, err := http.NewRequest(method, "http://127.0.0.1:"+g.port+path, strings.NewReader(body))
	if err != nil {
		return asked{}, err
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		request.Header.Set(name, value)
	}
	request.Close = a.anew
	answer, err := a.client.Do(request)
	if err != nil {
		return asked{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	return asked{answer.StatusCode, string(text)}, err
}

// expect asks and notes an answer with another status.
func (a *asking) expect(want int, method, path, body string, lines ...string) asked {
	if a.alone {
		want = http.StatusOK
	}
	got := a.ask(method, path, body, lines...)
	switch {
	case got.status == 0 || got.status == want:
	case got.status == http.StatusServiceUnavailable && !a.alone:
		a.tally.mu.Lock()
		a.tally.late++
		a.tally.mu.Unlock()
	default:
		a.tally.add(&a.tally.wrong, "%s %s %q: %d %.200s, want %d", method, path, lines, got.status, got.body, want)
	}
	if want != http.StatusOK && got.body == "passed" {
		a.tally.add(&a.tally.letIn, "%s %s %q", method, path, lines)
	}
	return got
}

func reloadBearer(token string) string { return "Authorization: Bearer " + token }

// present asks for something guarded.
func (a *asking) present(want int, lines ...string) asked {
	return a.expect(want, http.MethodGet, "/things", "", lines...)
}

func (a *asking) form(want int, path string, values url.Values) asked {
	values.Set("client_id", a.keyID)
	values.Set("client_secret", a.key)
	return a.expect(want, http.MethodPost, path, values.Encode(), "Content-Type: application/x-www-form-urlencoded")
}

func (a *asking) login(want int, name, password string) asked {
	return a.expect(want, http.MethodPost, "/v1/auth/login", fmt.Sprintf(`{"username":%q,"password":%q}`, name, password), "Content-Type: application/json")
}

// grant asks for a token; it is "" where no answer came.
func (a *asking) grant() string {
	var answer struct {
		Token string `json:"access_token"`
	}
	got := a.form(http.StatusOK, "/oauth2/token", url.Values{"grant_type": {"client_credentials"}})
	_ = json.Unmarshal([]byte(got.body), &answer) // what is none has none
	if a.alone {
		return "none"
	}
	return answer.Token
}

// life obtains a token, uses it and ends it.
func (a *asking) life() {
	token := a.grant()
	if token == "" {
		return
	}
	a.present(http.StatusOK, reloadBearer(token))
	if got := a.form(http.StatusOK, "/oauth2/revoke", url.Values{"token": {token}}); got.status == http.StatusOK && !a.alone {
		a.present(http.StatusUnauthorized, reloadBearer(token))
		a.tally.logins.Add(1)
	}
}

// client is one that asks at a pace, over connections that stay or new ones.
func (r *reloaded) client(alone, anew bool) *asking {
	a := &asking{reloaded: r, alone: alone, anew: anew, client: http.Client{Timeout: startTime, Transport: &http.Transport{}}}
	a.pace = time.NewTicker(reloadPace)
	r.Cleanup(func() { a.pace.Stop(); a.client.CloseIdleConnections() })
	return a
}

// reloadPace is the time from one request of a client to its next: so that what
// is guarded and what is not get as many, though one is slower.
const reloadPace = 20 * time.Millisecond

// prepare makes what the clients present.
func (r *reloaded) prepare() {
	r.Helper()
	a := r.client(false, false)
	r.good, r.revoked = a.grant(), a.grant()
	a.form(http.StatusOK, "/oauth2/revoke", url.Values{"token": {r.revoked}})
	for range 5 {
		a.login(http.StatusUnauthorized, "bob", "not it at all")
	}
	for _, do := range r.requests() {
		do(a)
	}
	r.flawless()
	a.client.CloseIdleConnections()
}

// requests are what clients go on asking.
func (r *reloaded) requests() []func(*asking) {
	return []func(*asking){
		func(a *asking) { a.present(http.StatusOK, reloadBearer(r.good)) },
		func(a *asking) { a.present(http.StatusOK, "x-api-key: "+r.key) },
		func(a *asking) { a.present(http.StatusUnauthorized, reloadBearer(r.good+"x")) },
		func(a *asking) { a.present(http.StatusUnauthorized, reloadBearer(r.revoked)) },
		func(a *asking) { a.present(http.StatusUnauthorized) },
		func(a *asking) { a.expect(http.StatusForbidden, http.MethodGet, "/admin/x", "", reloadBearer(r.good)) },
		func(a *asking) { a.login(http.StatusTooManyRequests, "bob", clientPassword) },
		func(a *asking) { a.life() },
	}
}

// storm has clients ask both until stop is called.
func (r *reloaded) storm() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, do := range r.requests() {
		for _, kind := range [][2]bool{{false, false}, {false, true}, {true, false}, {true, true}} {
			all.Go(func() {
				a := r.client(kind[0], kind[1])
				defer a.client.CloseIdleConnections()
				for ctx.Err() == nil {
					do(a)
				}
			})
		}
	}
	return func() { cancel(); all.Wait() }
}

// lateInLog is a line of the audit log.
var lateInLog = regexp.MustCompile(`"code":"unavailable","reason":"store".*"cause":"[^"]*context deadline exceeded"`)

// flawless fails the test where an answer was wrong.
func (r *reloaded) flawless() {
	r.Helper()
	if n := len(r.tally.letIn); n > 0 {
		r.Errorf("%d requests were let in, the first: %s", n, r.tally.letIn[0])
	}
	if n := len(r.tally.wrong); n > 0 {
		r.Fatalf("%d wrong answers, the first: %s\n%s", n, r.tally.wrong[0], r.guarded.output())
	}
	explained := func() int { return len(lateInLog.FindAllString(r.guarded.output(), -1)) }
	if r.tally.late > int(r.tally.asked.Load()/100) {
		r.Fatalf("%d of %d requests were answered 503\n%s", r.tally.late, r.tally.asked.Load(), r.guarded.output())
	}
	r.eventually("the log names a store that took too long for each 503", func() bool { return explained() >= r.tally.late })
}

func (r *reloaded) run() {
	r.prepare()
	// Some load beforehand: pools grow with it.
	stop := r.storm()
	r.underLoad()
	stop()
	before := r.steady()
	broken := r.reloads(max(2, amount(r.T, "GATEHOUSE_RELOADS", reloadRounds))) // one alone has no deviation
	r.flawless()
	r.kept(len(broken))
	r.nothingLeaked(before)
}

// reloads changes the configurations under load, and returns by how many more
// requests to what is guarded had no answer, for each time.
func (r *reloaded) reloads(rounds int) (more []float64) {
	r.Helper()
	began, asked, alone := time.Now(), r.tally.asked.Load(), r.tally.askedAlone.Load()
	r.tally.guarded.Store(0)
	r.tally.bare.Store(0)
	stop := r.storm()
	for n := 1; n <= rounds; n++ {
		guarded, bare := r.tally.guarded.Load(), r.tally.bare.Load()
		r.reload(n)
		more = append(more, float64((r.tally.guarded.Load()-guarded)-(r.tally.bare.Load()-bare)))
	}
	stop()
	guarded, bare := r.tally.guarded.Load(), r.tally.bare.Load()
	mean, chance := spread(more)
	r.Logf("%d reloads in %v, %d requests and %d to Caddy alone, %d tokens obtained, used and revoked; without an answer: %d and %d (%.2f±%.2f more for each reload); wrong: %d; let in: %d; 503 by a late store: %d",
		rounds, time.Since(began).Round(time.Second), r.tally.asked.Load()-asked, r.tally.askedAlone.Load()-alone, r.tally.logins.Load(),
		guarded, bare, mean, chance, len(r.tally.wrong), len(r.tally.letIn), r.tally.late)
	// Which connections a reload hits is chance, for either: a difference of
	// less than five times its standard error is none.
	if mean > 5*chance {
		r.Errorf("%d requests had no answer, of Caddy alone %d, e.g. %s", guarded, bare, r.tally.broken[0])
	}
	return more
}

// spread returns the mean of values, and its standard error.
func spread(values []float64) (mean, deviation float64) {
	n := float64(len(values))
	for _, v := range values {
		mean += v / n
	}
	for _, v := range values {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / (n - 1) / n)
}

// underLoad waits until clients have had answers.
func (r *reloaded) underLoad() {
	r.Helper()
	from := r.tally.asked.Load()
	r.eventually("clients get answers", func() bool { return r.tally.asked.Load() >= from+100 })
}

// kept looks at what a reload must not touch.
func (r *reloaded) kept(rounds int) {
	r.Helper()
	a := r.client(false, false)
	a.expect(http.StatusOK, http.MethodGet, fmt.Sprintf("/open/%d", rounds), "")
	a.expect(http.StatusUnauthorized, http.MethodGet, "/open/0", "")
	a.login(http.StatusTooManyRequests, "bob", clientPassword)
	r.eventually("what was cached still is", func() bool {
		hits, misses := r.metric("gatehouse_cache_hits_total"), r.metric("gatehouse_cache_misses_total")
		for range 10 {
			a.present(http.StatusOK, reloadBearer(r.good))
		}
		return r.metric("gatehouse_cache_hits_total") == hits+10 && r.metric("gatehouse_cache_misses_total") == misses
	})
	r.flawless()
	r.guarded.admin("", "key", "revoke", r.keyID)
	r.eventually("what another process changes is heard of", func() bool {
		got := a.ask(http.MethodGet, "/things", "", "x-api-key: "+r.key)
		return got.status == http.StatusUnauthorized
	})
}

// steady counts what is held once the connections of clients are gone.
func (r *reloaded) steady() map[string]int {
	r.Helper()
	counts := map[string]int{}
	for name, count := range r.held {
		counts[name] = count()
		r.eventually(name+" stay the same", func() bool {
			was := counts[name]
			counts[name] = count()
			return counts[name] == was
		})
	}
	return counts
}

// nothingLeaked fails the test where more is held than before. A leak is of at
// least one for each reload; what is allowed are pools that grew further.
func (r *reloaded) nothingLeaked(before map[string]int) {
	r.Helper()
	for name, count := range r.held {
		slack := 4
		if name == "file descriptors" {
			slack = 10 // two of each reader of SQLite
		}
		now := 0
		r.eventually(name+" as before", func() bool {
			now = count()
			return now <= before[name]+slack
		})
		r.Logf("%s: %d, before %d", name, now, before[name])
	}
}
