package caddymodule

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// alike fails the test unless two refusals differ in nothing but what named
// the thing that was asked for.
func alike(t *testing.T, a, b answer, named ...string) {
	t.Helper()
	text := func(a answer) string {
		h := a.header.Clone()
		h.Del("Date")
		h.Del("Content-Length")
		out := fmt.Sprintf("%d %v %s", a.status, h, a.body)
		for _, name := range named {
			out = strings.ReplaceAll(out, name, "NAME")
		}
		return out
	}
	if a, b := text(a), text(b); a != b {
		t.Errorf("the answers differ:\n%s\n%s", a, b)
	}
}

const absentID = "5e0e4d0a-5a3c-4a39-9c3c-0a1b2c3d4e5f"

func TestA01WhatIsAnothersReadsAsAbsent(t *testing.T) {
	e := startEvery(t, "")
	session := bearerOf(e.logIn("login_token", e.ann))
	id, text := e.loginToken(e.logIn("login_token", e.bob))
	for _, method := range []string{http.MethodGet, http.MethodPatch, http.MethodDelete} {
		e.run("login_token: "+method+" by id", func(t *testing.T) {
			body := map[string]string{http.MethodPatch: `{"expiresAt":"2001-01-01T00:00:00Z"}`}[method]
			got := e.do(method, "/feathers/login-token/"+id, body, jsonType, session)
			e.refused(got, http.StatusNotFound)
			alike(t, got, e.do(method, "/feathers/login-token/"+absentID, body, jsonType, session), id, absentID)
		})
	}
	for _, query := range []string{
		"id=" + id, "token=" + text, "id[$in][0]=" + id, "$or[0][id]=" + id, "id[$ne]=x", "associateUserId=" + e.bob.ID, "identityProviderId[$ne]=" + absentID,
		"filter=" + url.QueryEscape(`{"id":"`+id+`"}`), "userId=" + e.bob.ID, "$limit=100",
	} {
		e.run("login_token: by the filter "+query, func(t *testing.T) {
			query := strings.NewReplacer("$", "%24", "[", "%5B", "]", "%5D").Replace(query)
			if a := e.get("/feathers/login-token?"+query, session); strings.Contains(a.body, id) || strings.Contains(a.body, text) || a.status >= 500 {
				t.Error(a)
			}
			a := e.do(http.MethodDelete, "/feathers/login-token?"+query, "", session)
			if strings.Contains(a.body, id) || a.status >= 500 {
				t.Error(a)
			}
			e.sessionOf(text) // it is still there
		})
	}
	e.run("entity_token: a user who is another, of the same entity or none, reads as one who does not exist", func(t *testing.T) {
		a := e.admin(gateway.DefaultRealm)
		if err := a.AddMember(t.Context(), "bob", e.ann.tenant, "", nil); err != nil {
			t.Fatal(err)
		}
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete} {
			r := e.placeRequest(e.ann, method, "", "")
			ask := func(user string) answer {
				return e.do(method, "/entities/"+e.ann.tenant+"/users/"+user+"/authentication-token", "", r.fields...)
			}
			none := ask(absentID)
			e.refused(none, http.StatusForbidden)
			alike(t, none, ask(e.bob.ID))
			alike(t, none, ask("bob"))
		}
	})
	e.run("oauth2: a token of another is none", func(t *testing.T) {
		access, refresh := e.tokens(e.bob)
		for _, text := range []string{access, refresh, e.logIn("management", e.bob), e.logIn("entity_token", e.bob)} {
			for _, path := range []string{"/introspect", "/revoke"} {
				got := e.oauth2(e.ann, path, url.Values{"token": {text}})
				alike(t, got, e.oauth2(e.ann, path, url.Values{"token": {"ght_AAAAAAAAAAAAAAAAAAAAAA"}}))
			}
		}
		e.good("oauth2", access, e.bob)
		if a := e.refresh(e.bob, refresh); a.status != http.StatusOK {
			t.Error(a)
		}
	})
	e.run("management: nobody says whose user it is", func(t *testing.T) {
		token := bearerOf(e.logIn("management", e.ann))
		for _, path := range []string{"/v1/auth/user?id=" + e.bob.ID, "/v1/auth/user?userName=bob", "/v1/auth/user?request=" + e.bob.ID} {
			if a := e.get(path, token, "X-User-Id: "+e.bob.ID, "userid: bob"); a.status != http.StatusOK || !strings.Contains(a.body, e.ann.ID) || strings.Contains(a.body, e.bob.ID) {
				t.Error(a)
			}
		}
		if a := e.get("/v1/auth/user/"+e.bob.ID, token); a.status != http.StatusNotFound {
			t.Error(a)
		}
		e.postJSON("/v1/auth/user", `{"user":{"id":"`+e.bob.ID+`","userName":"bob","firstName":"Mallory"}}`, token)
		if row, err := e.admin(gateway.DefaultRealm).Account(t.Context(), "bob"); err != nil || row.Profile.FirstName != "" {
			t.Errorf("%v %v", row.Profile, err)
		}
	})
}

func TestA02NoTenantReachesIntoAnother(t *testing.T) {
	e := startEvery(t, `
		require /tenants/* {
			tenant {path.1}
		}
		require /asked/* {
			tenant {query.tenant}
		}
		require /told/* {
			tenant {header.X-Tenant}
		}`)
	a := e.admin(gateway.DefaultRealm)
	if err := a.AddMember(t.Context(), annName, e.ann.tenant, "", []string{"admin"}); err != nil {
		t.Fatal(err)
	}
	_, acmeKey := e.newKey(admin.NewKey{Tenant: "Acme", Name: "acme"})
	_, gatewayKey := e.newKey(admin.NewKey{Gateway: true, Name: "gateway"})
	_, user := e.token(annName, "")
	inAcme := e.logIn("crm_token", e.ann)
	e.run("entity_token: an admin of one entity is nobody in another, whatever names it", func(t *testing.T) {
		for _, key := range []string{acmeKey, gatewayKey, e.ann.key} {
			for _, entity := range []string{e.bob.tenant, "Other", "OTHER", absentID} {
				for _, subject := range []string{e.bob.ID, e.ann.ID} {
					path := "/entities/" + entity + "/users/" + subject + "/authentication-token"
					got := e.postJSON(path, `{"entityId":"`+e.ann.tenant+`"}`, "apikey: "+key, "userid: ann", "token: "+user, "entityId: "+e.ann.tenant)
					if got.status != http.StatusForbidden && got.status != http.StatusUnauthorized || strings.Contains(got.body, "authenticationToken") {
						t.Errorf("%s: %v", path, got)
					}
				}
			}
		}
		own := e.postJSON(placeOf(e.ann), `{"entityId":"`+e.bob.tenant+`","userId":"`+e.bob.ID+`"}`, "apikey: "+acmeKey, "userid: ann", "token: "+user,
			"entityId: "+e.bob.tenant)
		text := memberOf(t, own.body, "authenticationToken")
		if row := e.sessionOf(text); row.Tenant != e.ann.tenant || row.Subject != e.ann.ID {
			t.Errorf("the token is of %s in %s", row.Subject, row.Tenant)
		}
	})
	e.run("crm_token: an organisation that is not one's own reads as a wrong password", func(t *testing.T) {
		login := func(organisation, password string) answer {
			return e.postJSON("/authentication/token", fmt.Sprintf(`{"username":"ann","password":%q,"organisation":%q}`, password, organisation))
		}
		wrong := login("Acme", "wrong")
		for _, organisation := range []string{"Other", e.bob.tenant, "none", "*", " "} {
			got := login(organisation, annPassword)
			if organisation != " " {
				alike(t, wrong, got)
			}
			if strings.Contains(got.body, `"OK"`) {
				t.Error(got)
			}
		}
	})
	_, bound := e.token(annName, "Acme")
	for name, credential := range map[string]string{
		"a token of one tenant": bearerOf(bound), "a token of crm_token": bearerOf(inAcme), "a token of all of one's own": bearerOf(user),
	} {
		e.run(name+" is good in no other, however it is named", func(t *testing.T) {
			for _, c := range []struct {
				path   string
				fields []string
				status int
			}{
				{"/tenants/" + e.ann.tenant + "/x", nil, 200},
				{"/tenants/acme/x", nil, 200},
				{"/asked/x?tenant=Acme", nil, 200},
				{"/told/x", []string{"X-Tenant: ACME"}, 200},
				{"/tenants/" + e.bob.tenant + "/x", nil, 403},
				{"/tenants/other/x", nil, 403},
				{"/tenants/", nil, 403},
				{"/tenants", nil, 403},
				{"/TENANTS/other/" + e.ann.tenant, nil, 403},
				{"/tenants/*/x", nil, 403},
				{"/tenants/" + e.ann.tenant + "%2F..%2Fother", nil, 400},
				{"/tenants/other/x?tenant=Acme", []string{"X-Tenant: Acme"}, 403},
				{"/tenants/{http.auth.user.tenant}/x", nil, 403},
				{"/asked/x?tenant=Other", nil, 403},
				{"/asked/x", nil, 403},
				{"/asked/x?tenant=", nil, 403},
				{"/asked/x?tenant=Acme&tenant=Other", nil, 403},
				{"/asked/x?tenant=Other&tenant=Acme", nil, 403},
				{"/asked/x?Tenant=Acme", nil, 403},
				{"/asked/x?tenant=Acme,Other", nil, 403},
				{"/told/x", []string{"X-Tenant: Other"}, 403},
				{"/told/x", nil, 403},
				{"/told/x", []string{"X-Tenant: "}, 403},
				{"/told/x", []string{"X-Tenant: Acme", "X-Tenant: Other"}, 403},
				{"/told/x", []string{"X-Tenant: Other", "X-Tenant: Acme"}, 403},
			} {
				if got := e.get(c.path, append(c.fields, credential)...); got.status != c.status || (got.seen != nil) != (c.status == 200) {
					t.Errorf("%s %q: want %d, got %v", c.path, c.fields, c.status, got)
				}
			}
		})
	}
}
