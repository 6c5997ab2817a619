package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

func TestA07AUserIsShownWithoutSecrets(t *testing.T) {
	e := startEvery(t, "")
	row, err := e.admin(gateway.DefaultRealm).Account(t.Context(), annName)
	if err != nil {
		t.Fatal(err)
	}
	token := e.logIn("management", e.ann)
	for name, a := range map[string]answer{
		"GET user": e.get("/v1/auth/user", bearerOf(token)), "POST user": e.postJSON("/v1/auth/user", `{"user":{"firstName":"Ann"}}`, bearerOf(token)),
		"GET user by key": e.get("/v1/auth/user", "x-api-key: "+e.ann.key),
	} {
		e.run(name, func(t *testing.T) {
			var body struct {
				User struct {
					APIKeys []struct{ Key, ClientSecret string } `json:"apiKeys"`
				}
			}
			if err := json.Unmarshal([]byte(a.body), &body); err != nil || len(body.User.APIKeys) != 1 {
				t.Fatalf("%v: %v", err, a)
			}
			if k := body.User.APIKeys[0]; k.ClientSecret != "" || len(k.Key) > 16 || k.Key == "" {
				t.Errorf("the key is shown as %+v", k)
			}
			for _, secret := range []string{e.ann.key, token, row.Password.Reveal(), annPassword, "argon2", "digest", "hash", e.bob.ID} {
				if strings.Contains(strings.ToLower(a.String()), strings.ToLower(secret)) {
					t.Errorf("%q is shown: %v", secret, a)
				}
			}
		})
	}
}

func TestA08NoSecretIsFoundByAskingForItsParts(t *testing.T) {
	e := startEvery(t, "")
	session := bearerOf(e.logIn("login_token", e.ann))
	_, text := e.loginToken(e.logIn("login_token", e.ann))
	for _, query := range []string{
		"token[$lt]=" + text, "token[$gte]=0", "$sort[token]=1", "token[$regex]=^" + text[:4], "token[$like]=" + text[:4] + "%25", "token[$gt]=", "token[$exists]=true",
		"password[$gt]=", "passwordHash=x", "clientSecret=x", "filter=" + url.QueryEscape(`{"token":{"$lt":"f"}}`), "filter=" + url.QueryEscape(`{"token":{"$regex":"^a"}}`),
		"filter=" + url.QueryEscape(`{"clientSecret~":"a"}`), "digest=x", "sealed=x", "$or[0][token][$gt]=0", "$and[0][token][$gt]=0", "$select[]=sealed", "$select[]=password",
		"identityProvider.password=x", "$sort[digest]=1", "$where=1", "$expr=1", "$populate=user",
	} {
		e.run("login_token: "+query, func(*testing.T) {
			query := strings.NewReplacer("$", "%24", "[", "%5B", "]", "%5D", "^", "%5E").Replace(query)
			e.refused(e.get("/feathers/login-token?"+query, session), http.StatusBadRequest)
		})
	}
}

func TestA09ACredentialOpensWhatItIsFor(t *testing.T) {
	e := startEvery(t, "")
	access, refresh := e.tokens(e.ann)
	session := e.logIn("login_token", e.ann)
	_, link := e.loginToken(session)
	entity := e.logIn("entity_token", e.ann)
	tokens := map[string]string{
		"management": e.logIn("management", e.ann), "login_token": session, "oauth2": access, "timed_login": e.logIn("timed_login", e.ann),
		"crm_token": e.logIn("crm_token", e.ann), "a refresh token": refresh, "a login link": link, "an entity token": entity,
	}
	for name, text := range tokens {
		e.run(name+" as a bearer", func(t *testing.T) {
			want := map[bool]int{true: 200, false: 401}
			for path, good := range map[string]bool{
				"/v1/auth/user": name == "management", "/feathers/login-token": name == "login_token",
				"/x": name != "a refresh token" && name != "a login link" && name != "an entity token",
			} {
				if a := e.get(path, bearerOf(text)); a.status != want[good] {
					t.Errorf("%s: want %d, got %v", path, want[good], a)
				}
			}
		})
		e.run(name+" in the place of a key", func(t *testing.T) {
			for _, fields := range [][]string{{"x-api-key: " + text}, {"apikey: " + text, "userid: ann", "token: " + tokens["management"]}} {
				e.refused(e.get("/x", fields...), http.StatusUnauthorized)
			}
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {e.ann.keyID}, "client_secret": {text}}
			a := e.post("/oauth2/token", form.Encode(), "Content-Type: application/x-www-form-urlencoded")
			if a.status != http.StatusUnauthorized && a.status != http.StatusTooManyRequests { // after a few
				t.Error(a)
			}
		})
	}
	e.run("a key that may read changes nothing", func(*testing.T) {
		_, key := e.newKey(admin.NewKey{Account: annName, Name: "reader"})
		if a := e.get("/v1/auth/user", "x-api-key: "+key); a.status != http.StatusOK {
			e.t.Error(a)
		}
		e.refused(e.postJSON("/v1/auth/user", `{"user":{"firstName":"A"}}`, "x-api-key: "+key), http.StatusForbidden)
	})
	e.run("a key alone is not the three parts", func(*testing.T) {
		e.refused(e.get("/x", "apikey: "+e.ann.key), http.StatusUnauthorized)
		e.refused(e.get("/x", "apikey: "+e.ann.key, "userid: ann"), http.StatusUnauthorized)
		e.refused(e.do(http.MethodGet, placeOf(e.ann), "", "apikey: "+e.ann.key, "userid: ann"), http.StatusUnauthorized)
	})
}

func TestA10AReaderWritesNothingByAnyMethod(t *testing.T) {
	w := startSetting(t, setting{sites: `SITE {
	@writes not method GET HEAD OPTIONS
	gatehouse {
		accept api_key
		methods PURGE
		require @writes {
			permission write
		}
	}
	reverse_proxy UPSTREAM
}
`})
	w.ann()
	_, reader := w.newKey(admin.NewKey{Account: annName, Name: "reader"})
	_, writer := w.newKey(admin.NewKey{Account: annName, Name: "writer", Permissions: auth.Read | auth.Write})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "PURGE"} {
		w.run(method+" is refused to one who may read", func(*testing.T) {
			w.refused(w.do(method, "/x", "", "x-api-key: "+reader), http.StatusForbidden)
			w.passed(w.do(method, "/x", "", "x-api-key: "+writer))
		})
		for _, field := range []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x_http_method_override", "X-Original-Method"} {
			w.run("a GET that says "+field+": "+method+" is a GET", func(t *testing.T) {
				got := w.passed(w.get("/x", "x-api-key: "+reader, field+": "+method))
				for name, values := range got.Header {
					if got.Method != http.MethodGet || strings.Contains(strings.Join(values, ","), method) {
						t.Errorf("the upstream got %s with %s: %q", got.Method, name, values)
					}
				}
			})
		}
	}
	for _, method := range []string{"TRACE", "CONNECT", "FROB", "get", "Post", "GETS"} {
		w.run(method+" is no method here", func(t *testing.T) {
			if got := w.raw(method + " /x HTTP/1.1\r\nHost: " + w.host() + "\r\nx-api-key: " + writer + "\r\n\r\n"); !strings.Contains(got, " 405 ") && !strings.Contains(got, " 400 ") {
				t.Error(got)
			}
		})
	}
}

func TestA11WhatIsSwitchedOffIsDead(t *testing.T) {
	type removal struct {
		name string
		do   func(*admin.Admin) error
		// all says that what is of no tenant dies too.
		all bool
	}
	for _, c := range []removal{
		{"the account is disabled", func(a *admin.Admin) error { _, err := a.SetDisabled(t.Context(), annName, true); return err }, true},
		{"the account is deleted", func(a *admin.Admin) error { _, err := a.DeleteAccount(t.Context(), annName); return err }, true},
		{"the tenant is deleted", func(a *admin.Admin) error { _, err := a.DeleteTenant(t.Context(), "Acme"); return err }, false},
		{"the account leaves the tenant", func(a *admin.Admin) error { return a.RemoveMember(t.Context(), annName, "Acme") }, false},
	} {
		e := startEvery(t, "")
		e.run("when "+c.name, func(t *testing.T) {
			other := e.node(everyLogin)
			tokens := map[string]string{}
			for _, dialect := range table.Names() {
				tokens[dialect] = e.logIn(dialect, e.ann)
			}
			_, refresh := e.tokens(e.ann)
			_, bound := e.newKey(admin.NewKey{Account: annName, Tenant: "Acme", Name: "bound"})
			home := e.site
			both := func(f func()) {
				f()
				e.site = other
				defer func() { e.site = home }()
				f()
			}
			both(func() { // now all are cached
				for dialect, token := range tokens {
					e.good(dialect, token, e.ann)
				}
				e.passed(e.get("/x", "x-api-key: "+e.ann.key))
				e.passed(e.get("/x", "x-api-key: "+bound))
			})
			if err := c.do(e.admin(gateway.DefaultRealm)); err != nil {
				t.Fatal(err)
			}
			dies := func(dialect string) bool { return c.all || dialect == "crm_token" || dialect == "entity_token" }
			e.refused(e.get("/x", "x-api-key: "+bound), http.StatusUnauthorized)
			for dialect, token := range tokens {
				if dies(dialect) {
					e.dead(dialect, token, e.ann)
				} else {
					e.good(dialect, token, e.ann)
				}
			}
			if a := e.refresh(e.ann, refresh); (a.status == http.StatusOK) == c.all {
				t.Error(a)
			}
			if a := e.get("/x", "x-api-key: "+e.ann.key); (a.status == http.StatusOK) == c.all {
				t.Error(a)
			}
			e.site = other
			defer func() { e.site = home }()
			for dialect, token := range tokens {
				if dies(dialect) {
					eventually(t, time.Second, "the other node knows of "+dialect, func() bool { return e.show(dialect, token, e.ann).status == http.StatusUnauthorized })
				}
			}
		})
	}
}

func TestA12APageHasAnEnd(t *testing.T) {
	e := startEvery(t, "")
	session := bearerOf(e.logIn("login_token", e.ann))
	for range 3 {
		if a := e.postJSON("/feathers/login-token", "["+strings.Repeat("{},", 49)+"{}]", session); a.status != http.StatusCreated {
			t.Fatal(a)
		}
	}
	list := func(query string) (got struct {
		Total, Limit, Skip int
		Data               []any
	}, status int,
	) {
		a := e.get("/feathers/login-token?"+query, session)
		if a.status == http.StatusOK {
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatal(err)
			}
		}
		return got, a.status
	}
	for _, c := range []struct {
		query          string
		status, length int
	}{
		{"", 200, 10},
		{"%24limit=100", 200, 100},
		{"%24limit=101", 200, 100},
		{"%24limit=1000000000", 200, 100},
		{"%24limit=100&%24skip=140", 200, 10},
		{"%24skip=1000000000", 200, 0},
		{"%24limit=-1", 400, 0},
		{"%24skip=-1", 400, 0},
		{"%24limit=9223372036854775808", 400, 0},
		{"%24limit=1e9", 400, 0},
		{"%24limit=x", 400, 0},
		{"%24limit=1&%24limit=2", 400, 0},
		{"%24skip=9223372036854775807", 200, 0},
	} {
		e.run("the query "+c.query, func(t *testing.T) {
			got, status := list(c.query)
			if status != c.status && (c.length != 0 || status != 400) || len(got.Data) != c.length && status == 200 {
				t.Errorf("want %d with %d, got %d with %d", c.status, c.length, status, len(got.Data))
			}
		})
	}
	e.run("more than a hundred are not made at once", func(*testing.T) {
		e.refused(e.postJSON("/feathers/login-token", "["+strings.Repeat("{},", 100)+"{}]", session), http.StatusBadRequest)
	})
}

func TestA13NoNameIsAPattern(t *testing.T) {
	w := start(t, `accept bearer
		require /tenants/* {
			tenant {path.1}
		}
		require /users/* {
			subject {path.1}
		}`)
	a := w.admin(gateway.DefaultRealm)
	if _, err := a.AddTenant(t.Context(), "victim"); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"*", "+", "vic*", "victi?", "[v]ictim", "victim/..", "%", "v_ctim", "{path.1}", "victim/*", ".*", "**", "{http.request.uri.path}"} {
		w.run("the tenant "+name+" is no other", func(t *testing.T) {
			if _, err := a.AddTenant(t.Context(), name); err != nil {
				return // refused at creation
			}
			user := fmt.Sprint("user", i)
			w.account(admin.NewAccount{Username: user, Tenant: name, Roles: []string{"user"}})
			_, token := w.token(user, name)
			for _, path := range []string{"/tenants/victim/x", "/users/" + absentID + "/x"} {
				w.refused(w.get(path, bearerOf(token)), http.StatusForbidden)
			}
		})
	}
	for _, name := range []string{"*", "ann*", "%"} {
		w.run("nor is the username "+name, func(t *testing.T) {
			row, err := a.AddAccount(t.Context(), admin.NewAccount{Username: name})
			if err != nil {
				return
			}
			_, token := w.token(name, "")
			w.passed(w.get("/users/"+row.ID, bearerOf(token)))
			w.refused(w.get("/users/"+absentID, bearerOf(token)), http.StatusForbidden)
		})
	}
}
