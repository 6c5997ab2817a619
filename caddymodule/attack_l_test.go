package caddymodule

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// The tests named L… attack logins: names, passwords and the counters of
// failures.

// door is a way to log in with a name and a secret.
type door struct {
	name string
	// secret is which of ann's it takes.
	secret string
	knock  func(name, secret string, fields ...string) answer
	// hashes says that it asks for a password, and by whose name.
	hashes bool
	// throttled is what it answers past the limit.
	throttled int
}

// doors are the logins by a name: each takes all spellings of one.
func (a *besieged) doors() []door {
	post := func(path, body string) func(string, string, ...string) answer {
		return func(name, secret string, fields ...string) answer {
			if !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(f, "X-Forwarded-For") }) {
				fields = append(fields, a.elsewhere())
			}
			return a.post(path, fmt.Sprintf(body, asJSON(name), asJSON(secret)), append(fields, jsonType)...)
		}
	}
	return []door{
		{"management", annPassword, post("/v1/auth/login", `{"username":%s,"password":%s}`), true, 429},
		{"login_token", annPassword, post("/authentication", `{"strategy":"local","username":%s,"password":%s}`), true, 429},
		{"crm_token", annPassword, post("/crm/token", `{"username":%s,"password":%s,"organisation":"Acme"}`), true, 429},
		{"timed_login", a.key, post("/api/login", `{"UserLogin":%s,"ApiKey":%s}`), false, 401},
	}
}

// asJSON is a text as JSON, byte for byte.
func asJSON(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		if r < ' ' || r == '"' || r == '\\' {
			fmt.Fprintf(&out, `\u%04x`, r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String() + `"`
}

var traces = regexp.MustCompile(`"traceId":"[^"]*"`)

// alikeAnswers fails the test unless two answers cannot be told apart.
func alikeAnswers(t *testing.T, what string, one, other answer) {
	t.Helper()
	for _, got := range []*answer{&one, &other} {
		got.header = got.header.Clone()
		got.header.Del("Date")
		got.body = traces.ReplaceAllString(got.body, "")
	}
	if one.status != other.status || one.body != other.body || !maps.EqualFunc(one.header, other.header, slices.Equal) {
		t.Errorf("%s: %v\nis not\n%v", what, one, other)
	}
}

// people adds accounts that cannot log in, each for another reason, and returns
// their names, which end in suffix; bob is one that can, with annPassword.
func (a *besieged) people(t *testing.T, suffix string) (names []string) {
	t.Helper()
	d := a.admin(gateway.DefaultRealm)
	pw := auth.NewSecret(annPassword)
	for _, n := range []admin.NewAccount{
		{Username: "bob", Password: pw, Tenant: "Acme"},
		{Username: "disabled", Password: pw, Tenant: "Acme", Disabled: true},
		{Username: "wordless", Tenant: "Acme"},
		{Username: "elsewhere", Password: pw, Tenant: "Acme", Addresses: allow("192.0.2.0/24")},
	} {
		n.Username += suffix
		if _, err := d.AddAccount(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		names = append(names, n.Username)
	}
	return names
}

func TestL01WhoIsUnknownIsAnsweredAsWhoIsKnown(t *testing.T) {
	a := startBesieged(t)
	strangers := []string{"Unknown", "ann@example.org", "ann ", "a\u0000b", strings.Repeat("x", 5000), "аnn", "00000000-0000-0000-0000-000000000000"}
	for i, d := range a.doors() {
		a.run(d.name, func(t *testing.T) {
			suffix := fmt.Sprint("-", i) // the counters of one door hold for the next
			if got := d.knock(annName, d.secret); got.status > 201 {
				t.Fatal(got)
			}
			wrong := d.knock(annName, "wrong password")
			badBody(t, "a wrong password", wrong, 401)
			for _, name := range append(a.people(t, suffix), strangers...) {
				got := d.knock(name, "wrong password")
				alikeAnswers(t, fmt.Sprintf("%.20q", name), got, wrong)
			}
			if d.hashes { // the right one of who may not log in
				for _, name := range []string{"disabled" + suffix, "elsewhere" + suffix} {
					alikeAnswers(t, name+" with the right password", d.knock(name, annPassword), wrong)
				}
			}
		})
	}
	a.run("clients of oauth2", func(t *testing.T) {
		ask := func(id, secret string) answer {
			return a.post("/oauth2/token", "grant_type=client_credentials", basicPair(id, secret), formField, a.elsewhere())
		}
		wrong := ask(a.machine.id, "wrong")
		badBody(t, "a wrong secret", wrong, 401)
		for _, id := range []string{"999999", "0", "-1", "x", "01", "9223372036854775808", "+1", strings.Repeat("9", 4000)} {
			alikeAnswers(t, id[:1], ask(id, "wrong"), wrong)
		}
	})
}

func TestL05LockoutTellsNothingOfWhoIsKnown(t *testing.T) {
	a := startBesieged(t)
	for i, d := range a.doors() {
		a.run(d.name, func(t *testing.T) {
			known, unknown := fmt.Sprintf("known%d", i), fmt.Sprintf("unknown%d", i)
			if _, err := a.admin(gateway.DefaultRealm).AddAccount(t.Context(), admin.NewAccount{Username: known, Password: auth.NewSecret(annPassword), Tenant: "Acme"}); err != nil {
				t.Fatal(err)
			}
			for n := range 20 {
				one, other := d.knock(known, "wrong password"), d.knock(unknown, "wrong password")
				wait, otherWait := one.header.Get("Retry-After"), other.header.Get("Retry-After")
				if n < 5 && wait != "" || n >= 5 && (wait < "200" || otherWait < "200" || one.status != d.throttled) {
					t.Errorf("attempt %d: %v and %v", n+1, one, other)
				}
				one.header.Del("Retry-After") // in which a second may pass
				other.header.Del("Retry-After")
				alikeAnswers(t, fmt.Sprint("attempt ", n+1), one, other)
			}
		})
	}
}

func TestL06OneCounterForAllSpellings(t *testing.T) {
	a := startBesieged(t)
	for i, d := range a.doors() {
		a.run(d.name, func(t *testing.T) {
			name := fmt.Sprintf("victim%d", i)
			row, _ := a.whole.account(admin.NewAccount{Username: name, Email: name + "@example.com", Password: auth.NewSecret(annPassword), Tenant: "Acme"})
			spellings := []string{strings.ToUpper(name), "Ｖictim" + name[6:], row.ID, strings.ToUpper(name + "@example.com"), strings.ReplaceAll(name, "m", "ｍ")}
			for _, spelling := range spellings {
				badBody(t, spelling, d.knock(spelling, "wrong password"), 401)
			}
			for _, spelling := range append(spellings, name) {
				if got := d.knock(spelling, "wrong password"); got.status != d.throttled || got.header.Get("Retry-After") == "" {
					t.Errorf("%s: %v", spelling, got)
				}
			}
			for _, other := range []string{name + " ", " " + name, name + "\u200b", name + "@Acme", "acme\\" + name, name + ".", "victiм" + name[6:], name + "\u0000"} {
				if got := d.knock(other, d.secret); got.status != 401 || got.header.Get("Retry-After") != "" {
					t.Errorf("%q is no name of theirs, yet: %v", other, got)
				}
			}
		})
	}
	a.run("an unknown name has one counter for its spellings too", func(t *testing.T) {
		d := a.doors()[3]
		for _, spelling := range []string{"ghost", "GHOST", "Ｇhost", "gHoSt", "ghosT"} {
			badBody(t, spelling, d.knock(spelling, "wrong"), 401)
		}
		if got := d.knock("Ghost", "wrong"); got.header.Get("Retry-After") == "" {
			t.Error(got)
		}
	})
}

func TestL07NoDoorAddressOrReloadGoesRoundTheCounter(t *testing.T) {
	a := startBesieged(t)
	a.people(t, "")
	doors := a.doors()
	for i := range 5 { // each from another address, by turns
		badBody(t, "a wrong password", doors[i%3].knock("bob", "wrong password"), 401)
	}
	locked := func(when string) {
		t.Helper()
		for _, d := range doors[:3] {
			for _, field := range []string{a.elsewhere(), "X-Forwarded-For: 192.0.2.1, 198.51.100.7", "X-Forwarded-For: 2001:db8::1"} {
				if got := d.knock("bob", annPassword, field, "X-Real-IP: 192.0.2.9", "Forwarded: for=192.0.2.8"); got.status != 429 {
					t.Errorf("%s, %s: %v", when, d.name, got)
				}
			}
		}
		if got := doors[3].knock("bob", a.key); got.status != 401 || got.header.Get("Retry-After") == "" {
			t.Errorf("%s, timed_login: %v", when, got)
		}
	}
	locked("at once")
	a.load(setting{options: behindProxy, sites: guardedSite(sixDialects + "\nmethods PURGE")})
	locked("after a reload")
	if got := doors[0].knock(annName, annPassword); got.status != http.StatusOK {
		t.Errorf("somebody else: %v", got)
	}
	a.run("an address that is claimed without a trusted proxy is none", func(t *testing.T) {
		a.load(setting{sites: guardedSite(sixDialects)})
		for i := range 100 {
			badBody(t, "a guess", doors[3].knock(fmt.Sprint("guess", i), "wrong", fmt.Sprintf("X-Forwarded-For: 10.9.0.%d", i)), 401)
		}
		got := doors[3].knock("guess100", "wrong", "X-Forwarded-For: 10.9.1.1", "X-Real-IP: 10.9.1.1")
		if got.header.Get("Retry-After") == "" {
			t.Error(got)
		}
	})
}

func TestL08WhoIsLockedOutKeepsWhatTheyHave(t *testing.T) {
	a := startBesieged(t)
	token := a.login(annName, annPassword)
	d := a.doors()[0]
	for range 6 {
		d.knock(annName, "wrong password")
	}
	if got := d.knock(annName, annPassword); got.status != 429 {
		t.Fatal(got)
	}
	for _, field := range []string{bearerOf(token), bearerOf(a.user), "x-api-key: " + a.key, bearerOf(a.jwt)} {
		a.passed(a.get("/x", field))
	}
	if got := a.get("/v1/auth/user", bearerOf(token)); got.status != http.StatusOK {
		t.Error(got)
	}
	if got := a.post("/oauth2/token", "grant_type=client_credentials", basicPair(a.machine.id, a.machine.secret), formField); got.status != http.StatusOK {
		t.Error(got)
	}
}

func TestL16StuffingAndSprayingMeetTheLimitOfTheAddress(t *testing.T) {
	a := startBesieged(t)
	d := a.doors()[3]
	for _, network := range []struct{ name, first, other, far string }{
		{"IPv4", "X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 203.0.113.5", "X-Forwarded-For: 203.0.113.6"},
		{"a network of IPv6", "X-Forwarded-For: 2001:db8:1:1::%x", "X-Forwarded-For: 2001:db8:1:1:ffff::1", "X-Forwarded-For: 2001:db8:1:2::1"},
	} {
		a.run(network.name, func(t *testing.T) {
			for i := range 100 { // a name each: no account's counter is met
				from := network.first
				if strings.Contains(from, "%") {
					from = fmt.Sprintf(from, i+1)
				}
				badBody(t, from, d.knock(fmt.Sprintf("%s%d", network.name[:1], i), "Spring2026", from), 401)
				if i == 50 {
					if got := d.knock(annName, d.secret, from); got.status != http.StatusOK { // which clears the account's counter only
						t.Fatal(got)
					}
				}
			}
			for _, door := range a.doors() {
				if got := door.knock(annName, door.secret, network.other); got.status != door.throttled || got.header.Get("Retry-After") == "" {
					t.Errorf("%s: %v", door.name, got)
				}
			}
			if got := d.knock(annName, d.secret, network.far); got.status != http.StatusOK {
				t.Errorf("somebody else: %v", got)
			}
		})
	}
}
