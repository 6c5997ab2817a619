package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func allow(prefix string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(prefix)} }

func TestL10APasswordIsTheBytesThatWereSent(t *testing.T) {
	a := startBesieged(t)
	d := a.admin(gateway.DefaultRealm)
	const nfc, nfd = "p\u00e4ssw\u00f6rter", "pa\u0308sswo\u0308rter"
	for i, c := range []struct {
		password string
		others   []string
	}{
		{" spaces around ", []string{"spaces around", " spaces around", "spaces around "}},
		{"nul\u0000inside it", []string{"nul", "nulinside it", "nul\u0000inside", "nul\u0000inside other"}},
		{nfc, []string{nfd, "passworter", strings.ToUpper(nfc)}},
		{nfd, []string{nfc}},
		{"ＦｕｌｌＷｉｄｔｈ", []string{"FullWidth"}},
		{strings.Repeat("a", 72) + "tail", []string{strings.Repeat("a", 72), strings.Repeat("a", 72) + "tali"}},
		{strings.Repeat("long ", 200), []string{strings.Repeat("long ", 199)}},
	} {
		a.run(fmt.Sprintf("%.20q", c.password), func(t *testing.T) {
			name := fmt.Sprint("user", i)
			if _, err := d.AddAccount(t.Context(), admin.NewAccount{Username: name, Password: auth.NewSecret(c.password), Tenant: "Acme"}); err != nil {
				t.Fatal(err)
			}
			for _, door := range a.doors()[:3] {
				if got := door.knock(name, c.password); got.status > 201 {
					t.Errorf("%s: %v", door.name, got)
				}
				for _, other := range c.others {
					badBody(t, fmt.Sprintf("%s with %.20q", door.name, other), door.knock(name, other), 401)
				}
				door.knock(name, c.password) // clears the counter
			}
		})
	}
}

func TestL11APasswordThatIsTriedFirstIsRefused(t *testing.T) {
	a := startBesieged(t)
	d := a.admin(gateway.DefaultRealm)
	refuse := func(t *testing.T, name, text, why string) {
		t.Helper()
		_, err := d.AddAccount(t.Context(), admin.NewAccount{Username: name, Password: auth.NewSecret(text)})
		if err == nil || auth.CodeOf(err) != auth.Malformed || !strings.Contains(err.Error(), why) {
			t.Errorf("%s for a new account: %v", text, err)
		}
		if name == "newcomer" {
			name = annName
		}
		_, err = d.SetPassword(t.Context(), name, auth.NewSecret(text))
		if err == nil || auth.CodeOf(err) != auth.Malformed && !auth.IsNotFound(err) {
			t.Errorf("%s in place of another: %v", text, err)
		}
	}
	a.run("some that everybody knows", func(t *testing.T) {
		for _, text := range []string{"password", "Password", "12345678", "QWERTYUIOP", "iloveyou"} {
			refuse(t, "newcomer", text, "most used")
		}
		refuse(t, "newcomer", "1234567", "at least 8 bytes")
		refuse(t, "Newcomer2026", "newcomer2026", "is the username")
	})
	a.run("a profile holds no password", func(t *testing.T) {
		got := a.post("/v1/auth/user", `{"user":{"password":"password","Password":"password2"}}`, jsonType, "x-api-key: "+a.key)
		badBody(t, "two spellings", got, 400)
		got = a.post("/v1/auth/user", `{"user":{"password":"another password"}}`, jsonType, "x-api-key: "+a.key)
		if got.status != http.StatusOK || a.tryLogin(annName, annPassword).status != http.StatusOK {
			t.Error("the password was changed: ", got)
		}
		badBody(t, "the other password", a.tryLogin(annName, "another password"), 401)
	})
	a.run("the 3,000 most used ones", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(corpusFolder(t, "zxcvbn-passwords"), "passwords.txt"))
		if err != nil {
			t.Fatal(err)
		}
		overall, long := 0, 0
		for line := range strings.Lines(string(text)) {
			word, _, _ := strings.Cut(line, " ")
			if overall++; overall > 3000 && len(word) < 8 {
				continue
			}
			if len(word) >= 8 {
				long++
			}
			if long > 3000 {
				break
			}
			refuse(t, "newcomer", word, "")
		}
		if long <= 3000 {
			t.Fatalf("only %d passwords were tried", long)
		}
	})
	if row, err := d.Account(t.Context(), "newcomer"); !auth.IsNotFound(err) {
		t.Errorf("there is an account %v, %v", row.ID, err)
	}
}

func TestL12AFirstStartHasNoAccountAndNoSetup(t *testing.T) {
	w := start(t, sixDialects)
	rt := w.runtime()
	accounts, err := rt.Store.Accounts.ListAccounts(t.Context(), gateway.DefaultRealm, store.Page{})
	if err != nil || len(accounts) != 0 {
		t.Errorf("there are %d accounts, %v", len(accounts), err)
	}
	keys, err := rt.Store.Keys.ListKeys(t.Context(), gateway.DefaultRealm, store.KeyFilter{}, store.Page{})
	if err != nil || len(keys) != 0 {
		t.Errorf("there are %d keys, %v", len(keys), err)
	}
	for i, pair := range []string{"admin:admin", "admin:password", "root:root", "gatehouse:gatehouse", "demo:demo", "caddy:caddy"} {
		name, password, _ := strings.Cut(pair, ":")
		badBody(t, pair, w.tryLogin(name, password), 401)
		badBody(t, pair, w.get("/x", basicPair(name, password)), 401)
		badBody(t, pair, w.get("/x", "x-api-key: "+password, fmt.Sprint("X-N: ", i)), 401)
	}
	for _, path := range []string{"/setup", "/install", "/v1/auth/setup", "/v1/auth/register", "/v1/auth/users", "/oauth2/register", "/gatehouse", "/admin", "/entities"} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			badBody(t, method+" "+path, w.do(method, path, `{"username":"root","password":"a good password"}`, jsonType), 401, 404, 405)
		}
	}
	if accounts, err = rt.Store.Accounts.ListAccounts(t.Context(), gateway.DefaultRealm, store.Page{}); err != nil || len(accounts) != 0 {
		t.Errorf("and then %d accounts, %v", len(accounts), err)
	}
}

func TestL14WhoBelongsElsewhereDoesNotGetIn(t *testing.T) {
	a := startBesieged(t)
	d := a.admin(gateway.DefaultRealm)
	for _, name := range []string{"Initech", "Umbrella"} {
		if _, err := d.AddTenant(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	unit, err := d.AddUnit(t.Context(), "Initech", "Sales")
	if err != nil {
		t.Fatal(err)
	}
	ask := func(organisation string, more string) answer {
		return a.post("/crm/token", fmt.Sprintf(`{"username":"ann","password":%q,"organisation":%s%s}`, annPassword, asJSON(organisation), more), jsonType, a.elsewhere())
	}
	wrong := a.post("/crm/token", `{"username":"ann","password":"wrong password","organisation":"Acme"}`, jsonType, a.elsewhere())
	badBody(t, "a wrong password", wrong, 401)
	if got := ask("Acme", ""); got.status != http.StatusOK {
		t.Fatal(got)
	}
	for _, organisation := range []string{"Initech", "Umbrella", "nowhere", "*", "%", "Acme2", "Acme\u0000", "' OR ''='", "Асme"} {
		alikeAnswers(t, organisation, ask(organisation, ""), wrong)
		ask("Acme", "") // clears the counter
	}
	alikeAnswers(t, "a unit of another organisation", ask("Acme", `,"unit":"`+unit.ID+`"`), wrong)
	alikeAnswers(t, "a unit of nowhere", ask("Acme", `,"unit":"00000000000000000000000000000000"`), wrong)
	badBody(t, "no organisation", a.post("/crm/token", `{"username":"ann","password":"`+annPassword+`"}`, jsonType), 400)
	badBody(t, "an empty organisation", ask("", ""), 400)
	if got := ask(a.tenant, ""); got.status != http.StatusOK && got.status != 401 { // a name or an id lead to one tenant, or the id to none
		t.Error(got)
	}
	a.run("a token of one organisation is nobody's in another", func(t *testing.T) {
		other, err := d.Tenant(t.Context(), "Initech")
		if err != nil {
			t.Fatal(err)
		}
		path := strings.Replace(a.entityPath(), a.tenant, other.ID, 1)
		for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
			badBody(t, method, a.do(method, path, "", a.entityFields()...), 401, 403)
		}
	})
}

func TestL15OldHashesAreMadeAnewAndAreNoPassword(t *testing.T) {
	a := startBesieged(t)
	d := a.admin(gateway.DefaultRealm)
	const old = "the old password"
	hash, err := bcrypt.GenerateFromPassword([]byte(old), 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.AddAccount(t.Context(), admin.NewAccount{Username: "bob", Hash: auth.NewSecret(string(hash)), Tenant: "Acme"}); err != nil {
		t.Fatal(err)
	}
	stored := func() string {
		row, err := d.Account(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		return row.Password.Reveal()
	}
	for _, door := range a.doors()[:3] {
		badBody(t, door.name+" with the hash", door.knock("bob", string(hash)), 401)
	}
	if stored() != string(hash) {
		t.Error("a wrong password changed the hash")
	}
	door := a.doors()[0]
	if got := door.knock("bob", old); got.status != http.StatusOK {
		t.Fatal(got)
	}
	first := stored()
	if !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is now %.40s", first)
	}
	if got := door.knock("bob", old); got.status != http.StatusOK || stored() != first {
		t.Error("it was made anew twice")
	}
	for _, text := range []string{first, first[strings.LastIndex(first, "$")+1:], string(hash)} {
		badBody(t, "a hash as a password", door.knock("bob", text), 401)
	}
}

// Odd strings are names and passwords like others, and nobody's.
func TestL10OddStringsLogNobodyIn(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(corpusFolder(t, "blns"), "blns.json"))
	if err != nil {
		t.Fatal(err)
	}
	var odd []string
	if err := json.Unmarshal(text, &odd); err != nil || len(odd) < 400 {
		t.Fatalf("%d strings, %v", len(odd), err)
	}
	a := startBesieged(t)
	d := a.admin(gateway.DefaultRealm)
	timed := a.doors()[3]
	for i, s := range odd {
		badBody(t, fmt.Sprintf("%q as a name", s), timed.knock(s, a.key), 400, 401)
		badBody(t, fmt.Sprintf("%q as a key", s), timed.knock(fmt.Sprint("nobody", i), s), 400, 401)
		badBody(t, fmt.Sprintf("%q as a body", s), a.send(bodyCall{method: "POST", path: "/v1/auth/login"}, s), 400)
		badBody(t, fmt.Sprintf("%q as a token", s), a.post("/x", `{"token":`+asJSON(s)+`}`, jsonType), 400, 401)
		if i%40 == 0 { // each costs a hash
			for _, door := range a.doors()[:3] {
				badBody(t, fmt.Sprintf("%q as a name", s), door.knock(s, annPassword), 400, 401)
				badBody(t, fmt.Sprintf("%q as a password", s), door.knock(fmt.Sprint("nobody", i), s), 400, 401)
			}
		}
		if i%50 == 7 && len(s) >= 8 && len(s) <= 1024 {
			if _, err := d.AddAccount(t.Context(), admin.NewAccount{Username: fmt.Sprint("odd", i), Password: auth.NewSecret(s)}); err != nil {
				t.Errorf("%q: %v", s, err)
			} else if got := a.doors()[0].knock(fmt.Sprint("odd", i), s); got.status != http.StatusOK {
				t.Errorf("%q: %v", s, got)
			}
		}
	}
}
