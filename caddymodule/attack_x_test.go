package caddymodule

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// The attacks on the cache of verdicts and on what keeps it honest. Caddy is one
// per process, so another node is another handle on the same store: see
// TestG4X04AChangeOfAnotherProcessBitesWithinASecond, in whole_process_test.go.

func TestX01AVerdictIsNoPermission(t *testing.T) {
	w := startSetting(t, setting{sites: `SITE {
	@writes method POST
	gatehouse {
		accept api_key
		require /orders/* {
			scope orders
		}
		require /stock/* {
			scope stock
		}
		require @writes {
			permission write
		}
	}
	reverse_proxy UPSTREAM
}
`})
	w.account(admin.NewAccount{Username: annName})
	_, secret, err := w.admin(gateway.DefaultRealm).CreateKey(t.Context(), admin.NewKey{Account: annName, Scopes: auth.Scope{"orders"}})
	if err != nil {
		t.Fatal(err)
	}
	key := "x-api-key: " + secret.Reveal()
	for range 3 { // from the second on the verdict is cached
		w.passed(w.get("/orders/1", key))
		w.refused(w.get("/stock/1", key), http.StatusForbidden)
		w.refused(w.post("/orders/1", "x", key), http.StatusForbidden)
		w.refused(w.get("/orders/..%2fstock/1", key), http.StatusBadRequest)
		w.passed(w.get("/else", key))
	}
}

func TestX03AKeyThatWasRefusedBeforeItExisted(t *testing.T) {
	w := start(t, "accept api_key")
	w.account(admin.NewAccount{Username: annName})
	for name, a := range map[string]*admin.Admin{"here": w.admin(gateway.DefaultRealm), "elsewhere": elsewhere(t, filepath.Join(w.dir, "gatehouse.db"))} {
		w.run("made "+name, func(t *testing.T) {
			secret := "a key that exists already, " + name
			for range 3 {
				w.refused(w.get("/x", "x-api-key: "+secret), http.StatusUnauthorized)
			}
			if _, _, err := a.CreateKey(t.Context(), admin.NewKey{Account: annName, Secret: auth.NewSecret(secret)}); err != nil {
				t.Fatal(err)
			}
			w.passed(w.get("/x", "x-api-key: "+secret)) // refusals are not kept
		})
	}
}

// silent runs a gateway whose feed and store are lost after a token was used,
// and revoke by another process just before.
func silent(t *testing.T, revoke bool) {
	t.Helper()
	const bound = time.Second
	s := setting{gatehouse: "\n\t\tstore sqlite DIR/gatehouse.db\n\t\tmax_staleness 1s", sites: guardedSite("login management")}
	w := startSetting(t, s)
	w.ann()
	row, token := w.token(annName, "")
	for range 3 {
		w.passed(w.get("/x", bearerOf(token)))
	}
	other := elsewhere(t, filepath.Join(w.dir, "gatehouse.db"))
	if err := w.runtime().Store.Close(); err != nil {
		t.Fatal(err)
	}
	lost := time.Now()
	if revoke { // the node hears nothing of it
		if _, err := other.RevokeToken(t.Context(), row.ID); err != nil {
			t.Fatal(err)
		}
	}
	var last answer
	eventually(t, 10*time.Second, "the token is not answered from the cache", func() bool {
		began := time.Now()
		last = w.get("/x", bearerOf(token))
		if last.status == http.StatusOK && began.Sub(lost) > bound {
			t.Fatalf("answered %s after the store was lost", began.Sub(lost))
		}
		return last.status != http.StatusOK
	})
	for range 20 {
		w.refused(w.get("/x", bearerOf(token)), http.StatusServiceUnavailable)
	}
	if err := caddy.Stop(); err != nil { // a restart, with the store back
		t.Log(err)
	}
	w.load(s)
	want := http.StatusOK
	if revoke {
		want = http.StatusUnauthorized
	}
	if got := w.get("/x", bearerOf(token)); got.status != want {
		t.Error(got)
	}
}

func TestX05AFeedThatIsSilentIsTrustedUpToTheBound(t *testing.T) { silent(t, false) }

func TestX06ATokenRevokedJustBeforeTheOutage(t *testing.T) { silent(t, true) }

// flood sends n distinct bad credentials over some connections at once.
func (w *whole) flood(n int, bad func(i int) string) {
	w.t.Helper()
	const workers = 4
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for i := k; i < n; i += workers {
				a, err := w.try(context.Background(), http.MethodGet, w.site+"/x", "", bad(i))
				if err != nil || a.status != http.StatusUnauthorized {
					w.t.Errorf("request %d: %v, %v", i, a, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// floodSize is what some seconds allow through HTTP; five times what a cache
// holds goes through the resolver in package authn.
const floodSize = 3_000

func TestX07BadTokensDriveNoGoodOnesOut(t *testing.T) {
	w := start(t, "accept bearer api_key")
	w.ann()
	var good []string
	for range 50 {
		_, token := w.token(annName, "")
		good = append(good, token)
		w.passed(w.get("/x", bearerOf(token)))
	}
	for _, token := range good { // now all are cached
		w.passed(w.get("/x", bearerOf(token)))
	}
	held := w.runtime().Resolver.Stats().Entries
	w.flood(floodSize, func(i int) string { return bearerOf(fmt.Sprintf("ght_%022d", i)) })
	before := w.runtime().Resolver.Stats()
	for _, token := range good {
		w.passed(w.get("/x", bearerOf(token)))
	}
	after := w.runtime().Resolver.Stats()
	if hits := after.Hits - before.Hits; hits*100 < uint64(len(good))*95 {
		t.Errorf("%d of %d good tokens were answered from the cache", hits, len(good))
	}
	if after.Entries > held {
		t.Errorf("%d verdicts are held, %d before", after.Entries, held)
	}
}

func TestX08LongCredentialsAreNotKept(t *testing.T) {
	w := start(t, "accept bearer api_key")
	w.ann()
	_, token := w.token(annName, "")
	w.passed(w.get("/x", bearerOf(token)))
	w.passed(w.get("/x", bearerOf(token)))
	held := w.runtime().Resolver.Stats().Entries
	long := strings.Repeat("k", 6<<10)
	w.flood(500, func(i int) string { return fmt.Sprintf("Authorization: Bearer %s%d", long, i) })
	w.flood(500, func(i int) string { return fmt.Sprintf("x-api-key: %s%d", long, i) })
	if n := w.runtime().Resolver.Stats().Entries; n != held {
		t.Errorf("%d verdicts are held, %d before", n, held)
	}
}

func TestX09AnswersThatNoCacheMayKeep(t *testing.T) {
	w := start(t, "login management\nlogin oauth2\nrequire /admin/* {\n\trole admin\n}")
	_, key := w.ann()
	token := w.login(annName, annPassword)
	noStore := func(what string, a answer, status int) {
		t.Helper()
		if a.status != status || !strings.Contains(a.header.Get("Cache-Control"), "no-store") || a.header.Get("ETag")+a.header.Get("Last-Modified") != "" {
			t.Errorf("%s: want %d: %v", what, status, a)
		}
	}
	// Paths that a cache in front would take for those of files.
	for _, path := range []string{"/x", "/x/style.css", "/x;.js", "/x/logo.png?v=1", "/x.jpg"} {
		if path == "/x;.js" {
			noStore(path, w.get(path), http.StatusBadRequest)
			continue
		}
		for _, fields := range [][]string{nil, {bearerOf("nothing")}, {"If-None-Match: *"}, {"If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT"}, {"Range: bytes=0-3"}} {
			noStore(path, w.get(path, fields...), http.StatusUnauthorized)
		}
	}
	noStore("403", w.get("/admin/x", bearerOf(token)), http.StatusForbidden)
	body := fmt.Sprintf(`{"username":%q,"password":%q}`, annName, annPassword)
	for _, field := range []string{"If-None-Match: *", "Range: bytes=0-3", "Cache-Control: only-if-cached", "If-Match: *"} {
		a := w.post("/v1/auth/login", body, jsonType, field)
		noStore("login with "+field, a, http.StatusOK)
		if memberOf(t, a.body, "token") == token {
			t.Error("a login was answered with the token of another")
		}
		noStore("failed login with "+field, w.post("/v1/auth/login", strings.Replace(body, annPassword, "wrong password", 1), jsonType, field), http.StatusUnauthorized)
		token = w.login(annName, annPassword)
	}
	form := "grant_type=client_credentials&client_id=1&client_secret=" + key
	noStore("an access token", w.post("/oauth2/token", form, "Content-Type: application/x-www-form-urlencoded", "Range: bytes=0-3"), http.StatusOK)
}

func TestX10AStoreThatCannotBeHadIsNotReplaced(t *testing.T) {
	w := start(t, "login management")
	w.ann()
	token := w.login(annName, annPassword)
	before := filesIn(t, w.dir)
	for _, line := range []string{"store sqlite DIR/gatehouse.db/x/gatehouse.db", "store memory", "store postgres {env.GATEHOUSE_TEST_NOTHING}", "sessions redis redis://127.0.0.1:1/0"} {
		config, _, err := adapt([]byte(w.fill(setting{gatehouse: "\n\t\t" + line, sites: guardedSite("login management")}.text())))
		if strings.HasPrefix(line, "sessions") { // beside the store of the other lines
			config, _, err = adapt([]byte(w.fill(setting{gatehouse: "\n\t\tstore sqlite DIR/gatehouse.db\n\t\t" + line, sites: guardedSite("login management")}.text())))
		}
		if err == nil {
			err = caddy.Load(config, true)
		}
		if err == nil {
			t.Fatalf("%s was taken", line)
		}
		w.passed(w.get("/x", bearerOf(token))) // the configuration before it goes on
	}
	if after := filesIn(t, w.dir); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("files before: %q\nafter: %q", before, after)
	}
}

func TestX11WhatStandsInTheFeedOnlyHasThingsReadAgain(t *testing.T) {
	w := start(t, "accept bearer\nrequire /admin/* {\n\trole admin\n}")
	account, _ := w.ann()
	path := filepath.Join(w.dir, "gatehouse.db")
	other := elsewhere(t, path)
	_, good := w.token(annName, "")
	row, revoked := w.token(annName, "")
	last, late := w.token(annName, "")
	for _, token := range []string{good, revoked, late} {
		w.passed(w.get("/x", bearerOf(token)))
	}
	if _, err := other.RevokeToken(t.Context(), row.ID); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	write := func(seq any, realm, kind, id string) {
		t.Helper()
		const insert = `INSERT INTO changes (seq, realm, kind, id, at) VALUES (?, ?, ?, ?, 0)`
		if _, err := db.ExecContext(t.Context(), insert, seq, realm, kind, id); err != nil {
			t.Fatal(err)
		}
	}
	state := func(when string) {
		t.Helper()
		eventually(t, 2*time.Second, "refused "+when, func() bool { return w.get("/x", bearerOf(revoked)).status == http.StatusUnauthorized })
		w.passed(w.get("/x", bearerOf(good)))
		w.refused(w.get("/admin/x", bearerOf(good)), http.StatusForbidden)
	}
	state("before")
	for _, kind := range []string{"session", "subject", "key", "tenant", "all", "signing_keys", "restore", "", "'; DROP TABLE sessions; --", strings.Repeat("x", 1<<16)} {
		for _, id := range []string{row.ID, account.ID, "", "*", "%", strings.Repeat("y", 1<<16), "\x00"} {
			write(nil, gateway.DefaultRealm, kind, id)
			write(nil, "", kind, id)
		}
		state("after the kind " + kind[:min(len(kind), 20)])
	}
	// A sequence far ahead: what comes after it is still heard.
	write(int64(1)<<62, gateway.DefaultRealm, "session", "x")
	state("after a leap")
	w.passed(w.get("/x", bearerOf(late)))
	if _, err := other.RevokeToken(t.Context(), last.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, 2*time.Second, "the revocation after the leap is heard", func() bool {
		return w.get("/x", bearerOf(late)).status == http.StatusUnauthorized
	})
	state("at last")
}
