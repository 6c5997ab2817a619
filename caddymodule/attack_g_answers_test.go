package caddymodule

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// figure is how much of a promise with a big figure is tried: n, unless the
// environment says more.
func figure(t *testing.T, name string, n int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return n
	}
	more, err := strconv.Atoi(text)
	if err != nil || more < 1 {
		t.Fatalf("%s=%q is no number", name, text)
	}
	return more
}

// TestG4AChangeBitesFromTheNextRequestOn, on the node that made it. Other
// processes: TestG4X04AChangeOfAnotherProcessBitesWithinASecond.
func TestG4AChangeBitesFromTheNextRequestOn(t *testing.T) {
	w := start(t, "login management\nrequire /admin/* {\n\trole admin\n}")
	w.account(admin.NewAccount{Username: annName, Password: auth.NewSecret(annPassword), Roles: []string{"admin"}})
	a, ctx := w.admin("default"), t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for range figure(t, "GATEHOUSE_G4_TRIALS", 3) {
		row, token := w.token(annName, "")
		w.passed(w.get("/admin/x", bearerOf(token)))
		_, err := a.SetRoles(ctx, annName, nil)
		must(err)
		w.refused(w.get("/admin/x", bearerOf(token)), http.StatusForbidden)
		_, err = a.SetRoles(ctx, annName, []string{"admin"})
		must(err)
		w.passed(w.get("/admin/x", bearerOf(token)))
		_, err = a.RevokeToken(ctx, row.ID)
		must(err)
		w.refused(w.get("/x", bearerOf(token)), http.StatusUnauthorized)
		for _, end := range []func() error{
			func() error { _, err := a.SetDisabled(ctx, annName, true); return err },
			func() error { _, err := a.SetPassword(ctx, annName, auth.NewSecret(rand.Text())); return err },
		} {
			_, token := w.token(annName, "")
			w.passed(w.get("/x", bearerOf(token)))
			must(end())
			w.refused(w.get("/x", bearerOf(token)), http.StatusUnauthorized)
			_, err := a.SetDisabled(ctx, annName, false)
			must(err)
			w.refused(w.get("/x", bearerOf(token)), http.StatusUnauthorized)
		}
	}
}

// TestG6OfFiftyRefreshesAtOnceOneWins, through the real server; the replays end
// the family, the winner's tokens too.
func TestG6OfFiftyRefreshesAtOnceOneWins(t *testing.T) {
	w := start(t, everyDialect)
	m := addMember(t, w.admin("default"))
	for range figure(t, "GATEHOUSE_G6_ROUNDS", 4) {
		pair := w.post("/oauth2/token", "grant_type=client_credentials", formType, m.basic())
		body := "grant_type=refresh_token&refresh_token=" + memberOf(t, pair.body, "refresh_token")
		var won, lost atomic.Int64
		var winner atomic.Value
		begin := make(chan struct{})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				<-begin
				a, err := w.try(t.Context(), http.MethodPost, w.site+"/oauth2/token", body, formType, m.basic())
				switch {
				case err == nil && a.status == http.StatusOK:
					won.Add(1)
					winner.Store(memberOf(t, a.body, "access_token"))
				case err == nil && a.status == http.StatusBadRequest && strings.Contains(a.body, "invalid_grant"):
					lost.Add(1)
				default:
					t.Errorf("%v %v", err, a)
				}
			})
		}
		close(begin)
		all.Wait()
		if won.Load() != 1 || lost.Load() != 49 {
			t.Fatalf("%d won and %d lost", won.Load(), lost.Load())
		}
		w.refused(w.get("/x", bearerOf(winner.Load().(string))), http.StatusUnauthorized)
		w.refused(w.get("/x", bearerOf(memberOf(t, pair.body, "access_token"))), http.StatusUnauthorized)
	}
}

// TestG7NobodyLearnsWhoExists: what fails is answered alike to the byte, and in
// about the time. The time is measured and told; a machine with other work can
// hold it to nothing finer than the work itself.
func TestG7NobodyLearnsWhoExists(t *testing.T) {
	w := start(t, "login management {\n\tattempts 1000000 1s\n}\naccept api_key bearer")
	w.ann()
	w.account(admin.NewAccount{Username: "off", Password: auth.NewSecret(annPassword)})
	w.account(admin.NewAccount{Username: "none"})
	if _, err := w.admin("default").SetDisabled(t.Context(), "off", true); err != nil {
		t.Fatal(err)
	}
	cases := map[string][2]string{
		"a wrong password": {annName, "not it at all"}, "a wrong one of the right length": {annName, strings.Repeat("x", len(annPassword))},
		"an unknown name": {"zoe", "not it at all"}, "an account that is off": {"off", annPassword}, "an account of no password": {"none", "not it at all"},
	}
	took := map[string][]time.Duration{}
	var first answer
	w.do(http.MethodGet, "/x", "")
	for range figure(t, "GATEHOUSE_G7_SAMPLES", 5) {
		for name, c := range cases { // interleaved, in random order
			began := time.Now()
			a := w.tryLogin(c[0], c[1])
			took[name] = append(took[name], time.Since(began))
			a.header.Del("Date")
			if first.status == 0 {
				first = a
			}
			if a.String() != first.String() {
				t.Fatalf("%s is answered %v, others %v", name, a, first)
			}
		}
	}
	medians := map[string]time.Duration{}
	for name, all := range took {
		slices.Sort(all)
		medians[name] = all[len(all)/2]
	}
	t.Logf("medians: %v", medians)
	for name, median := range medians {
		if known := medians["a wrong password"]; median < known/3 || median > known*3 {
			t.Errorf("%s takes %v, a wrong password %v", name, median, known)
		}
	}
	_, key := w.account(admin.NewAccount{Username: "keyed"})
	bad := w.get("/x", "x-api-key: "+key[:len(key)-4]+"zzzz")
	other := w.get("/x", "x-api-key: api_zzzzzzzzzzzzzzzzzzzzzzzz")
	bad.header.Del("Date")
	other.header.Del("Date")
	if bad.String() != other.String() {
		t.Errorf("a key that begins like a good one is answered %v, another %v", bad, other)
	}
}

// TestG14LoginsDoNotStarveTraffic: the gateway's own work in the way of guarded
// requests is bounded by the queue of hashes, which takes half the cores.
func TestG14LoginsDoNotStarveTraffic(t *testing.T) {
	w := start(t, "login management\naccept bearer")
	w.ann()
	_, token := w.token(annName, "")
	n := figure(t, "GATEHOUSE_G14_REQUESTS", 200)
	p99 := func() time.Duration {
		var took []time.Duration
		for range n {
			began := time.Now()
			w.passed(w.get("/x", bearerOf(token)))
			took = append(took, time.Since(began))
		}
		slices.Sort(took)
		return took[len(took)*99/100]
	}
	quiet := p99()
	var over atomic.Bool
	var flood sync.WaitGroup
	var statuses sync.Map
	for i := range 64 {
		flood.Go(func() {
			for n := 0; !over.Load(); n++ {
				a, err := w.try(t.Context(), http.MethodPost, w.site+"/v1/auth/login",
					fmt.Sprintf(`{"username":"nobody-%d-%d","password":"not it at all"}`, i, n), jsonType)
				if err == nil {
					statuses.Store(a.status, a.header.Get("Retry-After"))
				}
			}
		})
	}
	eventually(t, 30*time.Second, "the flood is on", func() bool { _, ok := statuses.Load(401); return ok })
	flooded := p99()
	over.Store(true)
	flood.Wait()
	t.Logf("p99 of %d requests on %d cores: %v quiet, %v under 64 who log in", n, runtime.GOMAXPROCS(0), quiet, flooded)
	if flooded > max(20*quiet, 2*time.Second) {
		t.Errorf("p99 rose from %v to %v", quiet, flooded)
	}
	statuses.Range(func(status, retry any) bool {
		switch status {
		case http.StatusUnauthorized:
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			if retry == "" {
				t.Errorf("%v without Retry-After", status)
			}
		default:
			t.Errorf("a login was answered %v", status)
		}
		return true
	})
}

// TestG15BadTokensLeaveNothingBehind: neither memory nor verdicts.
func TestG15BadTokensLeaveNothingBehind(t *testing.T) {
	w := startSetting(t, setting{log: "\n\toutput discard\n\tformat gatehouse", sites: strings.Replace(guardedSite("accept bearer api_key"), "\tlog\n", "", 1)})
	_, key := w.ann()
	w.passed(w.get("/x", "x-api-key: "+key))
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse
	}
	n := figure(t, "GATEHOUSE_G15_TOKENS", 5_000)
	for range 500 { // what is made once
		w.refused(w.get("/x", bearerOf(rand.Text())), http.StatusUnauthorized)
	}
	before, stats := heap(), w.runtime().Resolver.Stats()
	for range n {
		w.refused(w.get("/x", bearerOf(rand.Text()+strings.Repeat("x", 100))), http.StatusUnauthorized)
	}
	after, now := heap(), w.runtime().Resolver.Stats()
	t.Logf("%d bad tokens: heap %d KiB, then %d KiB", n, before>>10, after>>10)
	if after > before+16<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
	if now.Entries != stats.Entries || now.Misses-stats.Misses > uint64(n) {
		t.Errorf("verdicts %+v became %+v", stats, now)
	}
	hits := w.runtime().Resolver.Stats().Hits
	w.passed(w.get("/x", "x-api-key: "+key))
	if w.runtime().Resolver.Stats().Hits != hits+1 {
		t.Error("a good verdict had to make way for bad ones")
	}
}

// TestG16ABodyCostsLittleMoreThanItsBytes, whoever sends it: what is allocated
// over a request stays within 100 times what came in. Hashing is not in it: its
// memory is that of the queue, whoever waits.
func TestG16ABodyCostsLittleMoreThanItsBytes(t *testing.T) {
	w := startSetting(t, setting{log: "\n\toutput discard\n\tformat gatehouse", sites: strings.Replace(guardedSite(everyDialect), "\tlog\n", "", 1)})
	const size = 60 << 10
	fill := func(open, part, end string) string {
		return open + strings.Repeat(part, (size-len(open)-len(end))/len(part)) + end
	}
	for name, c := range map[string]struct{ path, media, body string }{
		"JSON, deep":           {"/timed", "application/json", fill("", "[", "")},
		"JSON, many members":   {"/timed", "application/json", fill("{", `"a":1,`, `"b":2}`)},
		"JSON, many values":    {"/v1/auth/login", "application/json", fill(`{"a":[`, "1,", "1]}")},
		"JSON, escapes":        {"/v1/auth/login", "application/json", fill(`{"username":"`, `\u00e9`, `"}`)},
		"JSON, a number":       {"/authentication", "application/json", fill(`{"a":`, "9", "}")},
		"XML, deep":            {"/timed", "application/xml", fill("", "<a>", "")},
		"XML, many attributes": {"/timed", "application/xml", fill("<a", ` b=""`, "/>")},
		"XML, entities":        {"/timed", "application/xml", fill("<!DOCTYPE a [", `<!ENTITY b "c">`, "]><a/>")},
		"a form":               {"/oauth2/token", "application/x-www-form-urlencoded", fill("a=b", "&a=b", "")},
		"a form of percents":   {"/oauth2/token", "application/x-www-form-urlencoded", fill("grant_type=", url.QueryEscape("é"), "")},
		"a long path":          {"/" + strings.Repeat("a/", 8000), "application/json", "{}"},
	} {
		w.run(name, func(t *testing.T) {
			w.post(c.path, c.body, "Content-Type: "+c.media)
			const rounds = 10
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			for range rounds {
				if a := w.post(c.path, c.body, "Content-Type: "+c.media); a.status < 400 {
					t.Fatal(a)
				}
			}
			took := time.Since(began) / rounds
			runtime.ReadMemStats(&after)
			sent := uint64(len(c.body) + len(c.path))
			ratio := float64(after.TotalAlloc-before.TotalAlloc) / float64(rounds*sent)
			t.Logf("%.1f bytes for each, %v", ratio, took)
			if ratio > 100 || took > 2*time.Second {
				t.Errorf("%d bytes cost %.0f times that and %v", sent, ratio, took)
			}
		})
	}
}

// TestG20PasswordsAreHashedWhole and with what today asks for.
func TestG20PasswordsAreHashedWhole(t *testing.T) {
	w := start(t, "login management")
	long := strings.Repeat("long enough ", 20)[:200]
	row, _ := w.account(admin.NewAccount{Username: "long", Password: auth.NewSecret(long)})
	for name, c := range map[string]struct {
		password string
		status   int
	}{
		"the whole": {long, 200}, "its first 72 bytes": {long[:72], 401}, "all but the last": {long[:199], 401}, "another last one": {long[:199] + "x", 401},
	} {
		if a := w.tryLogin("long", c.password); a.status != c.status {
			t.Errorf("%s: %v", name, a)
		}
	}
	var memory, passes, lanes int
	_, parameters, _ := strings.Cut(row.Password.Reveal(), "$argon2id$v=19$")
	if _, err := fmt.Sscanf(parameters, "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil || memory < 19<<10 || passes < 2 || lanes < 1 {
		t.Errorf("hashed with %.40s (%v)", parameters, err)
	}
}

// TestG12NoSecretThatWasIssuedIsAtRest: the folder of the process holds no
// token, key or password of any dialect, in any encoding, while it runs, after
// it was killed and after it ended.
func TestG12NoSecretThatWasIssuedIsAtRest(t *testing.T) {
	s := setting{
		options: "\n\tadmin " + freeAddress(t) + "\n\tmetrics", log: defaultLog, sites: guardedSite(everyDialect),
	}
	w := startSetting(t, s)
	m := addMember(t, w.admin("default"))
	m.login(w, w.site)
	for _, fields := range m.fields {
		if len(fields) > 0 {
			w.get("/x", fields...)
		}
	}
	secrets := map[string]string{"the password": m.password, "the key": m.key, "the key of the tenant": m.tenantKey}
	for name, token := range m.good {
		secrets[name] = token
	}
	look := func(when string) {
		t.Helper()
		looked := 0
		for _, name := range filesIn(t, w.dir) {
			text, err := os.ReadFile(filepath.Join(w.dir, name))
			if err != nil {
				continue // a folder
			}
			looked++
			for what, secret := range secrets {
				if form := formIn(text, secret); form != "" {
					t.Errorf("%s: %s holds %s as %s", when, name, what, form)
				}
			}
		}
		if looked < 3 {
			t.Errorf("%s: %d files were looked at", when, looked)
		}
	}
	look("at work")
	if text, err := os.ReadFile(filepath.Join(w.dir, "gatehouse.db-wal")); err != nil || len(text) == 0 {
		t.Errorf("the log of the store was not looked at: %v", err)
	}
	if err := w.runtime().Store.Close(); err != nil {
		t.Fatal(err)
	}
	look("closed")
}
