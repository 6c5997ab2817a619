package gateway_test

import (
	"context"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func clientsJWT(algorithm string) func(*dialect.Config) {
	return func(c *dialect.Config) {
		c.Format, c.Options = "jwt", map[string][]string{"algorithm": {algorithm}}
	}
}

func TestASitePublishesTheKeysThatOthersNeed(t *testing.T) {
	oauth2 := login(t, "oauth2", clientsJWT("ES256"))
	management := login(t, "management", format("jwt"))
	asserts := &gateway.Assertion{Audience: []string{"orders"}}
	for name, c := range map[string]struct {
		cfg  gateway.Config
		algs string
	}{
		"assertions":            {gateway.Config{Assertion: asserts}, "EdDSA"},
		"access tokens":         {gateway.Config{Logins: []gateway.Login{oauth2}}, "ES256"},
		"both":                  {gateway.Config{Logins: []gateway.Login{management, oauth2}, Assertion: asserts}, "ES256 EdDSA"},
		"opaque access tokens":  {gateway.Config{Logins: []gateway.Login{login(t, "oauth2")}}, ""},
		"JWTs for us alone":     {gateway.Config{Logins: []gateway.Login{management}}, ""},
		"neither":               {gateway.Config{}, ""},
		"assertions, observing": {gateway.Config{Assertion: asserts, Observe: true}, "observe"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.cfg)
			if c.algs == "observe" { // the upstream goes on answering its own
				if got := w.do(get(gateway.JWKSPath)); got.forwarded == nil {
					t.Errorf("answered %d", got.StatusCode)
				}
				return
			}
			if c.algs == "" {
				if got := w.do(get(gateway.JWKSPath)); got.forwarded != nil || got.StatusCode != http.StatusUnauthorized {
					t.Errorf("answered %d", got.StatusCode)
				}
				return
			}
			if n := len(w.jwks()); n != len(strings.Fields(c.algs)) {
				t.Errorf("before the first of what they sign %d keys are published", n)
			}
			// Keys of uses that this site has nothing to do with are there too.
			must(t, w.rt.Signers.PrepareAssertions(w.ctx))
			must(t, w.rt.Signers.Prepare(w.ctx, token.Access{Algorithm: "ES256"}))
			var algs []string
			for _, k := range w.jwks() {
				algs = append(algs, k["alg"])
				for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
					if _, there := k[private]; there {
						t.Errorf("%q is published", private)
					}
				}
			}
			slices.Sort(algs)
			if got := strings.Join(algs, " "); got != c.algs {
				t.Errorf("published are %s, want %s", got, c.algs)
			}
		})
	}
}

func TestThePublicKeysMayBeKeptForAMinuteByAnyone(t *testing.T) {
	w := asserting(t)
	for _, r := range []*http.Request{
		get(gateway.JWKSPath), get(gateway.JWKSPath, asNobody), get(gateway.JWKSPath + "?x=1"), request(http.MethodHead, gateway.JWKSPath),
	} {
		got := w.do(r)
		if got.forwarded != nil || got.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d", r.Method, r.URL, got.StatusCode)
		}
		for name, want := range map[string]string{
			"Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=60", "X-Content-Type-Options": "nosniff",
		} {
			if got.Header.Get(name) != want {
				t.Errorf("%s is %q", name, got.Header.Get(name))
			}
		}
	}
	for _, method := range []string{"POST", "DELETE", "OPTIONS"} {
		got := w.do(request(method, gateway.JWKSPath))
		wantAnswered(t, got, http.StatusMethodNotAllowed)
		if got.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: Allow is %q", method, got.Header.Get("Allow"))
		}
	}
	for _, path := range []string{gateway.JWKSPath + "/", gateway.JWKSPath + "/x", "/.well-known/JWKS.json", "/.well-known/jwks.jsonx"} {
		if got := w.do(get(path)); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
	unbound := w.newSite(gateway.Config{Assertion: &gateway.Assertion{Audience: []string{"orders"}}})
	if got := send(t, unbound, get(gateway.JWKSPath)); got.forwarded != nil || got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("before it is bound: %d", got.StatusCode)
	}
}

func TestALoginAtThePathOfTheKeysIsRefused(t *testing.T) {
	for _, path := range []string{gateway.JWKSPath, "/.well-known"} {
		cfg := gateway.Config{
			Logins: []gateway.Login{login(t, "management", base(path))}, Assertion: &gateway.Assertion{Audience: []string{"orders"}},
		}
		if _, err := gateway.New(cfg); err == nil || !strings.Contains(err.Error(), gateway.JWKSPath) {
			t.Errorf("%s: %v", path, err)
		}
		cfg.Assertion = nil
		if _, err := gateway.New(cfg); err != nil {
			t.Errorf("%s without keys: %v", path, err)
		}
	}
}

// twoNodes are two runtimes on one file, each with a site.
func twoNodes(t *testing.T) (nodes [2]*world) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gatehouse.db")
	ring, err := token.ParseRing(token.RingFile{Name: "test", Text: token.NewRing()})
	must(t, err)
	for i := range nodes {
		rows, err := sqlstore.OpenSQLite(t.Context(), file, sqlstore.Options{Now: time.Now})
		must(t, err)
		w := &world{t: t, ctx: context.Background(), store: rows}
		w.rt = gateway.NewRuntime(gateway.RuntimeConfig{Store: rows, Ring: ring, Now: time.Now})
		t.Cleanup(func() { must(t, w.rt.Close()) })
		nodes[i] = w
	}
	return nodes
}

func (w *world) signed(life time.Duration) string {
	w.t.Helper()
	now := time.Now()
	secret, err := w.rt.Signers.Sign(w.ctx, realm, token.Claims{ID: token.NewID(), Subject: annID, Issued: now, Expires: now.Add(life)})
	must(w.t, err)
	return secret.Reveal()
}

// TestTwoNodesOnOneFileAgreeOnTheSigningKeys: on the first one, and on a new
// one as soon as the change feed has told of it.
func TestTwoNodesOnOneFileAgreeOnTheSigningKeys(t *testing.T) {
	nodes := twoNodes(t)
	header := func(text string) string { head, _, _ := strings.Cut(text, "."); return head }
	var texts [2]string
	var done sync.WaitGroup
	for i, w := range nodes {
		done.Go(func() { texts[i] = w.signed(time.Hour) })
	}
	done.Wait()
	if header(texts[0]) != header(texts[1]) {
		t.Fatal("they began with two keys")
	}
	_, err := nodes[0].rt.Signers.Rotate(nodes[0].ctx, token.UseToken)
	must(t, err)
	fresh := nodes[0].signed(time.Hour)
	if header(fresh) == header(texts[0]) {
		t.Error("the node that rotated signs with the old key")
	}
	deadline := time.Now().Add(token.KeyRefresh / 2) // the feed tells, not the clock
	for header(nodes[1].signed(time.Hour)) != header(fresh) {
		if time.Now().After(deadline) {
			t.Fatal("the other node was not told")
		}
	}
	for _, w := range nodes {
		for _, text := range []string{texts[0], texts[1], fresh} {
			if _, err := w.rt.Signers.Verify(w.ctx, realm, text); err != nil {
				t.Errorf("refused: %v", err)
			}
		}
	}
	rows, err := nodes[1].store.SigningKeys.SigningKeys(nodes[1].ctx)
	must(t, err)
	if len(rows) != 2 || rows[0].Retired.IsZero() || !rows[0].Expires.After(rows[0].Retired.Add(time.Hour)) {
		t.Errorf("the rows are %+v", rows)
	}
}

// TestBothNodesRotateByTheScheduleOnce, whoever comes first.
func TestBothNodesRotateByTheScheduleOnce(t *testing.T) {
	nodes := twoNodes(t)
	nodes[0].signed(time.Hour)
	var done sync.WaitGroup
	for range 8 {
		for _, w := range nodes {
			done.Go(func() {
				if err := w.rt.Signers.Tend(w.ctx, time.Nanosecond); err != nil && auth.CodeOf(err) != auth.Conflict {
					t.Error(err)
				}
			})
		}
	}
	done.Wait()
	rows, err := nodes[0].store.SigningKeys.SigningKeys(nodes[0].ctx)
	must(t, err)
	active := 0
	for _, row := range rows {
		if row.Retired.IsZero() {
			active++
		}
	}
	if active != 1 || len(rows) < 2 {
		t.Errorf("%d of %d keys sign", active, len(rows))
	}
}

// TestKeysAreRotatedOnScheduleAndRemovedWhenTheyAreOver, as long as anything
// runs; a change of the configuration changes the schedule.
func TestKeysAreRotatedOnScheduleAndRemovedWhenTheyAreOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, gateway.Config{})
		keys := func() (signs, verifies int) {
			t.Helper()
			rows, err := w.store.SigningKeys.SigningKeys(w.ctx)
			must(t, err)
			for _, row := range rows {
				if row.Retired.IsZero() {
					signs++
				}
			}
			return signs, len(rows)
		}
		wantKeys := func(when string, all int) {
			t.Helper()
			if signs, n := keys(); signs != 1 || n != all {
				t.Errorf("%s: %d of %d keys sign, want 1 of %d", when, signs, n, all)
			}
		}
		text := w.signed(2 * time.Hour)
		<-time.After(time.Hour)
		wantKeys("by default, after an hour", 1)
		w.rt.SetKeyLifetime(-1)
		<-time.After(time.Minute)
		wantKeys("switched off", 1)
		w.rt.SetKeyLifetime(time.Hour)
		<-time.After(2 * time.Minute)
		wantKeys("after an hour of an hour", 2)
		if _, err := w.rt.Signers.Verify(w.ctx, realm, text); err != nil {
			t.Errorf("refused: %v", err)
		}
		w.rt.SetKeyLifetime(0)
		<-time.After(3 * time.Hour)
		wantKeys("when its last token has expired", 1)
	})
}
