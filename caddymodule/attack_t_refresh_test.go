package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// single is what can be done once with one thing.
type single struct {
	name string
	// fresh makes the thing and the request that uses it up.
	fresh func() request
	won   func(answer) bool
}

// singles are the refreshes and redeems of all dialects; management,
// timed_login and crm_token have none.
func (e *every) singles() []single {
	ok := func(a answer) bool { return a.status == http.StatusOK }
	return []single{
		{"oauth2: a refresh", func() request {
			_, refresh := e.tokens(e.ann)
			return e.oauth2Request(e.ann, "/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
		}, ok},
		{"entity_token: a refresh", func() request {
			text := e.logIn("entity_token", e.ann)
			return e.placeRequest(e.ann, http.MethodPost, "/refresh", `{"authenticationToken":"`+text+`"}`)
		}, ok},
		{"login_token: a redeem", func() request {
			id, text := e.loginToken(e.logIn("login_token", e.ann))
			return request{method: http.MethodGet, path: "/feathers/login/" + id + "?token=" + text}
		}, func(a answer) bool { return ok(a) && strings.Contains(a.body, `"token":`) }},
	}
}

// placeRequest is a call about a party's entity token, by themselves.
func (e *every) placeRequest(p party, method, below, body string) request {
	_, user := e.token(p.Username, "")
	return request{method, placeOf(p) + below, body, []string{jsonType, "apikey: " + p.key, "userid: " + p.Username, "token: " + user}}
}

func (w *whole) make(r request) answer {
	w.t.Helper()
	return w.do(r.method, r.path, r.body, r.fields...)
}

// loginToken makes a login token.
func (e *every) loginToken(session string) (id, text string) {
	e.t.Helper()
	a := e.postJSON("/feathers/login-token", "{}", bearerOf(session))
	return memberOf(e.t, a.body, "id"), memberOf(e.t, a.body, "token")
}

func TestT01OfFiftyAtOnceOnTwoNodesOneWins(t *testing.T) {
	e := startEvery(t, "")
	other := e.node(everyLogin)
	for _, s := range e.singles() {
		e.run(s.name, func(t *testing.T) {
			for range 3 {
				won := 0
				for _, a := range e.atOnce(50, s.fresh(), e.site, other) {
					switch {
					case s.won(a):
						won++
					case a.status >= http.StatusInternalServerError && a.header.Get("Retry-After") == "": // two processes write to one file
						t.Errorf("a fault of ours: %v", a)
					}
				}
				if won != 1 {
					t.Errorf("%d of 50 won", won)
				}
			}
		})
	}
}

func TestT02AReplayEndsTheWholeFamily(t *testing.T) {
	e := startEvery(t, "")
	other := e.node(everyLogin)
	e.run("oauth2: every token that came of it, on both nodes, and the log says so", func(t *testing.T) {
		first, one := e.tokens(e.ann)
		a := e.refresh(e.ann, one)
		second, two := memberOf(t, a.body, "access_token"), memberOf(t, a.body, "refresh_token")
		a = e.refresh(e.ann, two)
		third, three := memberOf(t, a.body, "access_token"), memberOf(t, a.body, "refresh_token")
		stranger, _ := e.tokens(e.ann)
		home := e.site
		for _, token := range []string{first, second, third, stranger} {
			e.good("oauth2", token, e.ann)
		}
		e.site = other
		for _, token := range []string{first, second, third, stranger} {
			e.good("oauth2", token, e.ann)
		}
		e.site = home

		before := e.auditLines()
		e.refused(e.refresh(e.ann, one), http.StatusBadRequest)
		for _, token := range []string{first, second, third} {
			e.dead("oauth2", token, e.ann)
		}
		e.good("oauth2", stranger, e.ann)
		e.refused(e.refresh(e.ann, three), http.StatusBadRequest)
		replays := e.auditedSince(before, auth.RefreshEvent)
		if len(replays) != 2 || replays[0]["reason"] != "replayed" || replays[0]["subject"] != e.ann.ID || replays[0]["address"] != "127.0.0.1" {
			t.Errorf("audited was %v", replays)
		}
		if ends := e.auditedSince(before, auth.RevocationEvent); len(ends) != 1 || ends[0]["subject"] != e.ann.ID {
			t.Errorf("audited was %v", ends)
		}
		e.site = other
		defer func() { e.site = home }()
		eventually(t, time.Second, "the other node knows", func() bool { return e.get("/x", bearerOf(third)).status == http.StatusUnauthorized })
		e.dead("oauth2", first, e.ann)
		e.good("oauth2", stranger, e.ann)
	})
	e.run("entity_token: by its contract the current token stays, and the old one is nothing", func(t *testing.T) {
		old := e.logIn("entity_token", e.ann)
		refresh := e.placeRequest(e.ann, http.MethodPost, "/refresh", `{"authenticationToken":"`+old+`"}`)
		current := memberOf(t, e.make(refresh).body, "authenticationToken")
		e.refused(e.make(refresh), http.StatusBadRequest)
		e.dead("entity_token", old, e.ann)
		e.good("entity_token", current, e.ann)
	})
	e.run("login_token: a link that was used is none", func(t *testing.T) {
		id, text := e.loginToken(e.logIn("login_token", e.ann))
		session := memberOf(t, e.get("/feathers/login/"+id+"?token="+text).body, "token")
		for _, path := range []string{"/feathers/login/" + id + "?token=" + text, "/feathers/login/" + text} {
			if a := e.get(path); strings.Contains(a.body, "eyJ") || !strings.Contains(a.body, `"error":`) {
				t.Error(a)
			}
		}
		e.good("login_token", session, e.ann)
	})
}

func TestT03NothingIsRefreshedForAnAccountThatChanged(t *testing.T) {
	type change struct {
		name string
		// undo is nil for a change that a login after it does not mind.
		do, undo func(a *admin.Admin) error
	}
	set := func(f func(a *admin.Admin) (any, error)) func(*admin.Admin) error {
		return func(a *admin.Admin) error { _, err := f(a); return err }
	}
	changes := []change{
		{
			"the password is changed",
			set(func(a *admin.Admin) (any, error) {
				return a.SetPassword(t.Context(), annName, auth.NewSecret("quite another one"))
			}),
			set(func(a *admin.Admin) (any, error) {
				return a.SetPassword(t.Context(), annName, auth.NewSecret(annPassword))
			}),
		},
		{
			"the account is disabled, and enabled again",
			set(func(a *admin.Admin) (any, error) {
				if _, err := a.SetDisabled(t.Context(), annName, true); err != nil {
					return nil, err
				}
				return a.SetDisabled(t.Context(), annName, false)
			}), nil,
		},
		{
			"all tokens are revoked",
			set(func(a *admin.Admin) (any, error) { return a.RevokeTokens(t.Context(), annName) }), nil,
		},
		{
			"the roles are changed",
			set(func(a *admin.Admin) (any, error) { return a.SetRoles(t.Context(), annName, []string{"reader"}) }),
			set(func(a *admin.Admin) (any, error) { return a.SetRoles(t.Context(), annName, []string{"user"}) }),
		},
		{
			"the account is deleted",
			set(func(a *admin.Admin) (any, error) { return a.DeleteAccount(t.Context(), annName) }), nil,
		},
	}
	e := startEvery(t, "")
	for _, c := range changes {
		for _, s := range e.singles() {
			// Neither a login token nor an entity token says what its account
			// may: that is looked up when it is used.
			if c.name == "the roles are changed" && s.name != "oauth2: a refresh" || c.name == "the account is deleted" && s.name != "login_token: a redeem" {
				continue
			}
			e.run(s.name+" after "+c.name, func(t *testing.T) {
				if c.name == "the account is deleted" {
					e.deletedTogether(t, c.do)
					return
				}
				r := s.fresh()
				if err := c.do(e.admin(gateway.DefaultRealm)); err != nil {
					t.Fatal(err)
				}
				if a := e.make(r); s.won(a) {
					t.Error(a)
				}
				if c.undo == nil {
					return
				}
				if err := c.undo(e.admin(gateway.DefaultRealm)); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// deletedTogether uses all that there is of an account after it is deleted,
// which cannot be taken back.
func (e *every) deletedTogether(t *testing.T, remove func(*admin.Admin) error) {
	t.Helper()
	pending := map[string]request{}
	for _, s := range e.singles() {
		pending[s.name] = s.fresh()
	}
	if err := remove(e.admin(gateway.DefaultRealm)); err != nil {
		t.Fatal(err)
	}
	for _, s := range e.singles() {
		if a := e.make(pending[s.name]); s.won(a) {
			t.Errorf("%s: %v", s.name, a)
		}
	}
}

func TestT04ARefreshTokenIsItsClientsAlone(t *testing.T) {
	e := startEvery(t, "")
	row, second := e.newKey(admin.NewKey{Account: annName, Permissions: auth.AllPermissions, Scopes: auth.Scope{"orders", "bills"}})
	twin := e.ann
	twin.key, twin.keyID = second, fmt.Sprint(row.ID)
	access, refresh := e.tokens(e.ann)
	for name, p := range map[string]party{"another account": e.bob, "another key of the account": twin} {
		e.run("oauth2: it is refused to "+name+", and stays good", func(t *testing.T) {
			got := e.refresh(p, refresh)
			e.refused(got, http.StatusBadRequest)
			unknown := e.refresh(p, "ght_AAAAAAAAAAAAAAAAAAAAAA")
			if got.body != unknown.body {
				t.Errorf("%s where an unknown one is %s", got.body, unknown.body)
			}
			e.good("oauth2", access, e.ann)
		})
	}
	e.run("oauth2: of its own client it is taken then", func(t *testing.T) {
		if a := e.refresh(e.ann, refresh); a.status != http.StatusOK {
			t.Error(a)
		}
	})
	e.run("entity_token: that of another is nobody's to refresh", func(t *testing.T) {
		text := e.logIn("entity_token", e.ann)
		r := e.placeRequest(e.bob, http.MethodPost, "/refresh", `{"authenticationToken":"`+text+`"}`)
		e.logIn("entity_token", e.bob)
		e.refused(e.make(r), http.StatusBadRequest)
		r.path = placeOf(e.ann) + "/refresh"
		e.refused(e.make(r), http.StatusForbidden)
		e.good("entity_token", text, e.ann)
	})
	e.run("login_token: that of another does not log in under their id", func(t *testing.T) {
		_, text := e.loginToken(e.logIn("login_token", e.ann))
		id, _ := e.loginToken(e.logIn("login_token", e.bob))
		if a := e.get("/feathers/login/" + id + "?token=" + text); !strings.Contains(a.body, `"error":`) {
			t.Error(a)
		}
	})
}

func TestT05ARefreshMovesNoEnd(t *testing.T) {
	e := startEvery(t, "")
	if days := time.Until(e.refreshed(t)); days > 30*24*time.Hour {
		t.Errorf("a family lives for %s", days)
	}
	e.eachDialect("use does not move the end of a token", func(dialect string) {
		token := e.logIn(dialect, e.ann)
		before := e.sessionOf(token).Expires
		for range 3 {
			e.good(dialect, token, e.ann)
		}
		if after := e.sessionOf(token).Expires; !after.Equal(before) {
			e.t.Errorf("%s became %s", before, after)
		}
	})
	// Access tokens that live as long as their family would all outlive it but
	// the first.
	e = startEveryBlock(t, strings.Replace(everyLogin, "login oauth2\n", "login oauth2 {\n\t\t\tttl 1h\n\t\t\trefresh_ttl 1h\n\t\t}\n", 1))
	if left := time.Until(e.refreshed(t)); left > time.Hour {
		t.Errorf("a family lives for %s", left)
	}
}

// refreshed refreshes a family of tokens again and again and returns its end,
// which no refresh moves and no token outlives.
func (e *every) refreshed(t *testing.T) time.Time {
	t.Helper()
	_, refresh := e.tokens(e.ann)
	end := e.sessionOf(refresh).Expires
	for i := range 5 {
		a := e.refresh(e.ann, refresh)
		refresh = memberOf(t, a.body, "refresh_token")
		if got := e.sessionOf(refresh).Expires; !got.Equal(end) {
			t.Fatalf("after refresh %d the family ends at %s and not at %s", i+1, got, end)
		}
		if got := e.sessionOf(memberOf(t, a.body, "access_token")).Expires; got.After(end) {
			t.Errorf("an access token outlives its family: %s", got)
		}
	}
	return end
}

func TestT15OneCredentialRenewsNoOther(t *testing.T) {
	e := startEvery(t, "")
	access, _ := e.tokens(e.ann)
	session := e.logIn("login_token", e.ann)
	entity := e.logIn("entity_token", e.ann)
	others := map[string]string{
		"an access token": access, "a token of management": e.logIn("management", e.ann), "a token of timed_login": e.logIn("timed_login", e.ann),
		"a token of crm_token": e.logIn("crm_token", e.ann), "a token of login_token": session, "an entity token": entity, "a key": e.ann.key,
	}
	_, others["a login token"] = e.loginToken(session)
	for name, text := range others {
		e.run(name+" is no refresh token", func(*testing.T) { e.refused(e.refresh(e.ann, text), http.StatusBadRequest) })
		if text != entity {
			e.run(name+" does not refresh an entity token", func(*testing.T) {
				e.refused(e.make(e.placeRequest(e.ann, http.MethodPost, "/refresh", `{"authenticationToken":"`+text+`"}`)), http.StatusBadRequest)
			})
		}
		e.run(name+" does not redeem a login link", func(t *testing.T) {
			if name == "a login token" {
				return
			}
			id, _ := e.loginToken(session)
			if a := e.get("/feathers/login/" + id + "?token=" + url.QueryEscape(text)); strings.Contains(a.body, `"token":`) {
				t.Error(a)
			}
		})
		e.run(name+" renews no session of login_token", func(t *testing.T) {
			a := e.postJSON("/feathers/authentication", fmt.Sprintf(`{"strategy":"jwt","accessToken":%q}`, text))
			if want := text == session; want != (a.status == http.StatusCreated) {
				t.Error(a)
			}
		})
	}
	e.run("an entity token does not stand in for the user token where one is renewed", func(*testing.T) {
		r := e.placeRequest(e.ann, http.MethodPost, "/refresh", "{}")
		r.fields = []string{jsonType, "apikey: " + e.ann.key, "entity-authentication-token: " + entity}
		e.refused(e.make(r), http.StatusUnauthorized)
	})
}
