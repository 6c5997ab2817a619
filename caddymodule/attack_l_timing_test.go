package caddymodule

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/dudect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// samples is how many calls of each class are timed: so few that a test takes
// seconds, unless GATEHOUSE_TIMING names another number (20,000 is the ledger's).
func samples(t *testing.T, usual int) int {
	t.Helper()
	text := os.Getenv("GATEHOUSE_TIMING")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// compare reports whether two classes differ in time. What it asserts is only
// that neither does the work of the other several times over, which no load on
// a machine brings about, and leaving out a hash does.
func compare(t *testing.T, what string, n int, one, other dudect.Class) {
	t.Helper()
	order := rand.New(rand.NewPCG(7, 11)) //nolint:gosec // which class goes first is no secret
	pair := dudect.Sample(n, order, time.Now, one, other)
	t.Logf("%s: %s", what, pair)
	a, b := slices.Min(pair.A), slices.Min(pair.B)
	if a > 4*b || b > 4*a {
		t.Errorf("%s: %s against %s at least: one of them does less", what, a, b)
	}
}

// startPatient is startBesieged where no account is ever locked out.
func startPatient(t *testing.T) *besieged {
	t.Helper()
	a := startBesieged(t)
	block := sixDialects
	for _, line := range []string{"login management /v1/auth", "login timed_login /api/login", "login login_token /login-token"} {
		block = strings.Replace(block, line, line+" {\n\tattempts 1000000 1s\n}", 1)
	}
	block = strings.Replace(block, "http_errors", "http_errors\n\tattempts 1000000 1s", 1)
	a.load(setting{options: behindProxy, sites: guardedSite(block)})
	return a
}

// attempt is a class of logins that fail.
func (a *besieged) attempt(d door, name func(i int) string, secret string) dudect.Class {
	return func(i int) func() {
		return func() {
			if got := d.knock(name(i), secret); got.status != http.StatusUnauthorized || got.header.Get("Retry-After") != "" {
				a.t.Errorf("%s: %v", name(i), got)
			}
		}
	}
}

func always(name string) func(int) string { return func(int) string { return name } }

func numbered(name string) func(int) string {
	return func(i int) string { return name + strconv.Itoa(i) }
}

func TestL02WhoIsKnownDoesNotShowInTheTime(t *testing.T) {
	a := startPatient(t)
	a.people(t, "")
	for _, d := range a.doors() {
		n := samples(t, 3)
		if !d.hashes {
			n = samples(t, 100)
		}
		known := a.attempt(d, always(annName), "wrong password")
		a.run(d.name, func(t *testing.T) {
			compare(t, "a known and an unknown name", n, known, a.attempt(d, numbered("nobody"), "wrong password"))
			compare(t, "a known and a disabled name", n, known, a.attempt(d, always("disabled"), "wrong password"))
			compare(t, "a known name and one without a password", n, known, a.attempt(d, always("wordless"), "wrong password"))
			compare(t, "a wrong secret of the right length and another", n,
				a.attempt(d, always(annName), strings.Repeat("x", len(d.secret))), a.attempt(d, always(annName), "x"))
			compare(t, "a wrong secret that begins right and another", n,
				a.attempt(d, always(annName), d.secret[:len(d.secret)-1]+"!"), a.attempt(d, always(annName), "!"+d.secret[1:]))
		})
	}
	a.run("an organisation that is theirs and one that is not", func(t *testing.T) {
		if _, err := a.admin(gateway.DefaultRealm).AddTenant(t.Context(), "Initech"); err != nil {
			t.Fatal(err)
		}
		into := func(organisation string) dudect.Class {
			return func(int) func() {
				return func() {
					body := fmt.Sprintf(`{"username":"ann","password":"wrong password","organisation":%q}`, organisation)
					badBody(t, organisation, a.post("/crm/token", body, jsonType, a.elsewhere()), 401)
				}
			}
		}
		compare(t, "theirs and another's", samples(t, 4), into("Acme"), into("Initech"))
		compare(t, "theirs and nobody's", samples(t, 4), into("Acme"), into("Nowhere"))
	})
}

// Nobody's work is done once for many: a name that is known would show in it.
func TestL03WhoIsKnownDoesNotShowInACrowd(t *testing.T) {
	a := startPatient(t)
	const crowd = 4
	d := a.doors()[0]
	var lock sync.Mutex // of the addresses
	together := func(name func(int) string) dudect.Class {
		return func(i int) func() {
			lock.Lock()
			from := make([]string, crowd)
			for n := range from {
				from[n] = a.elsewhere()
			}
			lock.Unlock()
			return func() {
				var all sync.WaitGroup
				for _, address := range from {
					all.Go(func() { d.knock(name(i), "wrong password", address) })
				}
				all.Wait()
			}
		}
	}
	compare(t, "four at once for a known and an unknown name", samples(t, 3), together(always(annName)), together(numbered("nobody")))
	compare(t, "four at once for one name and for one by one", samples(t, 3), together(always("nobody")), func(i int) func() {
		return func() {
			for range crowd {
				d.knock("nobody", "wrong password", a.elsewhere())
			}
		}
	})
}

// What was sent in several parts is never taken for the same bytes cut
// elsewhere, by the cache of verdicts, the one look-up for many, or a counter.
func TestL04PartsOfACredentialAreNotRunTogether(t *testing.T) {
	a := startBesieged(t)
	fields := func(key, user, token string) []string {
		return []string{"apikey: " + key, "userid: " + user, "token: " + token}
	}
	a.load(setting{options: behindProxy, sites: guardedSite(sixDialects + "\naccept key_user_token")})
	key, user := a.place.secret, a.user
	pieces := [][]string{
		fields(key+"a", "nn", user), fields(key[:len(key)-1], key[len(key)-1:]+"ann", user), fields(key, "an", "n"+user),
		fields(key, "ann"+user[:1], user[1:]), fields(key+"ann", user[:1], user[1:]), fields(key, "ann", user+" "+user),
		fields("ann", key, user), fields(user, "ann", key),
	}
	a.run("before, between and after the good one", func(t *testing.T) {
		var all sync.WaitGroup
		for range 3 {
			good := a.get("/x", fields(key, annName, user)...)
			a.passed(good)
			for _, p := range pieces {
				all.Go(func() {
					got, err := a.try(t.Context(), http.MethodGet, a.site+"/x", "", p...)
					if err != nil || got.seen != nil || got.status != http.StatusUnauthorized && got.status != http.StatusBadRequest {
						t.Errorf("%q: %v, %v", p, got, err)
					}
				})
			}
			all.Wait()
		}
	})
	a.run("at logins, all at once", func(t *testing.T) {
		d := a.doors()[3]
		var all sync.WaitGroup
		address := make([]string, 8)
		for i := range address {
			address[i] = a.elsewhere()
		}
		for i := range address {
			all.Go(func() {
				name, secret := annName, a.key
				if i%2 == 1 {
					name, secret = "ann"+a.key[:i], a.key[i:]
				}
				if got := d.knock(name, secret, address[i]); got.status == http.StatusOK != (i%2 == 0) {
					t.Errorf("%s: %v", name, got)
				}
			})
		}
		all.Wait()
		for i := 1; i < len(a.place.secret)-1; i += 5 {
			got := a.post("/oauth2/token", "grant_type=client_credentials", formField, a.elsewhere(),
				basicPair(a.machine.id+a.machine.secret[:i], a.machine.secret[i:]))
			badBody(t, "a client cut elsewhere", got, 401)
		}
	})
}
