package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// grabs are members by which a caller would make more of themselves.
var grabs = []string{
	`"roles":["admin"]`, `"Roles":["admin"]`, `"ROLES":["admin"]`, `"rol\u0065s":["admin"]`, `"rolеs":["admin"]`, `"rank":99`, `"RANK":99`, `"customerId":7`,
	`"id":"` + absentID + `"`, `"Id":"` + absentID + `"`, `"userName":"root"`, `"username":"root"`, `"createdAt":"2001-01-01T00:00:00Z"`,
	`"lastLogIn":"2001-01-01T00:00:00Z"`, `"apiKeys":[{"id":1,"key":"api_mine","clientSecret":"mine","permissions":15}]`, `"passwordHash":"mine"`,
	`"password":"mine-mine-mine"`, `"enabled":false`, `"disabled":true`, `"org":"Other"`, `"tenant":"Other"`, `"tenants":["Other"]`, `"realm":"other"`,
	`"permissions":15`, `"scopes":["all"]`, `"__proto__":{"roles":["admin"]}`, `"constructor":{"roles":["admin"]}`, `"roles[]":"admin"`, `"user.roles":["admin"]`,
}

// unchanged holds an account against what it was, but for its profile.
func (e *every) unchanged(t *testing.T, before store.Account, what string) {
	t.Helper()
	after, err := e.admin(gateway.DefaultRealm).Account(t.Context(), before.ID)
	if err != nil {
		t.Fatal(err)
	}
	if p := after.Profile; p.Rank != 0 || p.CustomerID != 0 || after.LastLogin.Year() == 2001 || after.Password.Reveal() != before.Password.Reveal() {
		t.Errorf("%s: rank, customer, last login or password were set", what)
	}
	for _, row := range []*store.Account{&before, &after} {
		row.Profile, row.Updated, row.LastLogin = store.Profile{}, time.Time{}, time.Time{}
		row.Version = 0
	}
	if a, b := fmt.Sprintf("%+v", before), fmt.Sprintf("%+v", after); a != b {
		t.Errorf("%s: %s became %s", what, a, b)
	}
	members, err := e.runtime().Store.Memberships.MembershipsOf(t.Context(), gateway.DefaultRealm, before.ID)
	if err != nil || len(members) != 1 || len(members[0].Roles) != 0 {
		t.Errorf("%s: the memberships are %+v (%v)", what, members, err)
	}
}

func TestA03NobodyAssignsWhatIsNotTheirs(t *testing.T) {
	e := startEvery(t, "")
	token := bearerOf(e.logIn("management", e.ann))
	for _, member := range grabs {
		e.run("management: "+member, func(t *testing.T) {
			for _, body := range []string{`{"user":{` + member + `}}`, `{` + member + `,"user":{}}`, `{"user":{"firstName":"A",` + member + `}}`} {
				if a := e.postJSON("/v1/auth/user", body, token); a.status != http.StatusOK && a.status != http.StatusBadRequest {
					t.Error(a)
				}
			}
			e.unchanged(t, e.ann.Account, member)
		})
		e.run("logins: "+member, func(t *testing.T) {
			for _, r := range []request{
				{path: "/v1/auth/login", body: `{"username":"ann","password":"` + annPassword + `",` + member + `}`},
				{path: "/login", body: `{"UserLogin":"ann","ApiKey":"` + e.ann.key + `",` + member + `}`},
				{path: "/authentication/token", body: `{"username":"ann","password":"` + annPassword + `","organisation":"Acme",` + member + `}`},
			} {
				if strings.Contains(member, "sername") || strings.Contains(member, "serName") || strings.Contains(member, `"password"`) || strings.Contains(r.path, "auth") && len(member)%3 != 0 {
					continue // another login; and of those that hash, a third is enough
				}
				a := e.postJSON(r.path, r.body)
				var text string
				for _, dialect := range []string{"management", "timed_login", "crm_token"} {
					if a.status == 200 && r.path == map[string]string{"management": "/v1/auth/login", "timed_login": "/login", "crm_token": "/authentication/token"}[dialect] {
						text = e.tokenOf(dialect, a)
					}
				}
				if text == "" {
					continue // refused
				}
				got := e.passed(e.get("/x", bearerOf(text)))
				if got.Header.Get("X-Auth-Roles") != "user" || got.Header.Get("X-Auth-Subject") != e.ann.ID {
					t.Errorf("the upstream was told %v", got.Header)
				}
			}
			e.unchanged(t, e.ann.Account, member)
		})
	}
}

func TestA04NorByAnotherMethodFormOrSpelling(t *testing.T) {
	e := startEvery(t, "")
	token := bearerOf(e.logIn("management", e.ann))
	const grab = `{"user":{"roles":["admin"],"rank":99}}`
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodDelete} {
		e.run(method+" is no method of it", func(*testing.T) {
			e.refused(e.do(method, "/v1/auth/user", grab, jsonType, token), http.StatusMethodNotAllowed)
		})
	}
	for media, body := range map[string]string{
		"application/xml":                   `<user><roles><string>admin</string></roles></user>`,
		"text/xml":                          `<user><rank>99</rank></user>`,
		"application/x-www-form-urlencoded": `user.roles=admin&roles=admin`,
		"multipart/form-data; boundary=x":   "--x\r\nContent-Disposition: form-data; name=\"roles\"\r\n\r\nadmin\r\n--x--\r\n",
		"text/plain":                        grab,
	} {
		e.run(media+" is not read", func(*testing.T) {
			e.refused(e.post("/v1/auth/user", body, "Content-Type: "+media, token), http.StatusUnsupportedMediaType)
		})
	}
	e.run("a patch of RFC 6902 is none", func(*testing.T) {
		e.refused(e.post("/v1/auth/user", `[{"op":"add","path":"/user/roles/-","value":"admin"}]`, "Content-Type: application/json-patch+json", token), http.StatusBadRequest)
	})
	for _, body := range []string{`{"user":{},"USER":{"roles":["admin"]}}`, `{"user":{"email":"a@example.com","EMAIL":"b@example.com"}}`, `{"user":[{"roles":["admin"]}]}`} {
		e.run("a member twice, or of another type, is refused: "+body, func(*testing.T) {
			e.refused(e.postJSON("/v1/auth/user", body, token), http.StatusBadRequest)
		})
	}
	e.run("nothing of it was stored", func(t *testing.T) { e.unchanged(t, e.ann.Account, "all of it") })
	session := bearerOf(e.logIn("login_token", e.ann))
	for _, member := range grabs {
		e.run("login_token: no record has "+member, func(t *testing.T) {
			if strings.HasPrefix(member, `"id"`) || strings.HasPrefix(member, `"createdAt"`) {
				return // which the server sets
			}
			e.refused(e.postJSON("/feathers/login-token", `{`+member+`}`, session), http.StatusBadRequest)
		})
	}
	for _, body := range []string{
		`<Request><UserLogin>ann</UserLogin><ApiKey>KEY</ApiKey><Roles>admin</Roles></Request>`, `<Request roles="admin"><UserLogin>ann</UserLogin><ApiKey>KEY</ApiKey></Request>`,
	} {
		e.run("timed_login: nor has XML", func(t *testing.T) {
			a := e.post("/login", strings.ReplaceAll(body, "KEY", e.ann.key), "Content-Type: application/xml", "Accept: application/json")
			if a.status == http.StatusBadRequest {
				return
			}
			got := e.passed(e.get("/x", bearerOf(e.tokenOf("timed_login", a))))
			if got.Header.Get("X-Auth-Roles") != "user" {
				t.Errorf("the upstream was told %v", got.Header)
			}
		})
	}
}

func TestA05ARoleIsItsName(t *testing.T) {
	w := start(t, "accept bearer\nrequire /root/* {\n\trole root\n}")
	a := w.admin(gateway.DefaultRealm)
	for _, role := range []string{" root", "root ", "ro ot", "root,admin", "", "root\x00", "root\n", "rοot", `ro"ot`, `ro\ot`, "root*", "*"} {
		if _, err := a.AddAccount(t.Context(), admin.NewAccount{Username: "x", Roles: []string{role}}); err == nil {
			t.Errorf("an account has the role %q", role)
		}
	}
	for i, role := range []string{"ROOT", "Root", "root.", "root/", "r%6Fot", "toor", "rootroot"} {
		w.run("the role "+role+" is another", func(*testing.T) {
			name := fmt.Sprint("user", i)
			w.account(admin.NewAccount{Username: name, Roles: []string{role}})
			_, token := w.token(name, "")
			w.passed(w.get("/x", bearerOf(token)))
			w.refused(w.get("/root/x", bearerOf(token)), http.StatusForbidden)
		})
	}
	w.run("and root is root", func(*testing.T) {
		w.account(admin.NewAccount{Username: "chief", Roles: []string{"root"}})
		_, token := w.token("chief", "")
		w.passed(w.get("/root/x", bearerOf(token)))
	})
}

// TestA06: no call makes, ranks or deletes other accounts, so all that is left
// is one's own rank.
func TestA06NobodyRaisesTheirRank(t *testing.T) {
	e := startEvery(t, "")
	token := bearerOf(e.logIn("management", e.ann))
	rank := func() any {
		var body struct{ User map[string]any }
		if err := json.Unmarshal([]byte(e.get("/v1/auth/user", token).body), &body); err != nil {
			t.Fatal(err)
		}
		return body.User["rank"]
	}
	before := rank()
	for _, value := range []string{"99", "-1", "0", `"99"`, "null", "1e3"} {
		e.postJSON("/v1/auth/user", `{"user":{"rank":`+value+`}}`, token)
		if after := rank(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("%s: the rank %v became %v", value, before, after)
		}
	}
	for _, path := range []string{"/v1/auth/users", "/v1/auth/user/" + e.bob.ID, "/v1/auth/register", "/v1/auth/accounts"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			if a := e.do(method, path, "", token); a.status != http.StatusNotFound || a.seen != nil {
				t.Errorf("%s %s: %v", method, path, a)
			}
		}
	}
}
