package caddymodule

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// everyDialect is a guard that answers every login API that there is, each
// where it is in no other's way.
const everyDialect = `
		login management /v1/auth
		login management /v1/jwt {
			format jwt
		}
		login timed_login /timed
		login entity_token /entities
		login login_token /login-token
		login crm_token /crm
		login oauth2 /oauth2
		accept bearer api_key key_user_token
		accept query Token
		public /open/*
		require /admin/* {
			role admin
		}
		errors problem
		insecure_http`

const formType = "Content-Type: application/x-www-form-urlencoded"

// issued is a member of an organisation and every kind of secret that one login
// after another gave to it.
type issued struct {
	member, password, tenant string
	// key is the member's own, tenantKey that of the organisation.
	key, tenantKey string
	keyID          int64
	// good are tokens by what they were got with, fields how each is presented.
	good   map[string]string
	fields map[string][]string
}

const (
	memberName     = "mia"
	memberPassword = "a mountain hut in winter"
	memberTenant   = "Acme Ltd"
)

// member adds an account that may use every dialect.
func addMember(t testing.TB, a *admin.Admin) *issued {
	t.Helper()
	ctx := t.Context()
	if _, err := a.AddTenant(ctx, memberTenant); err != nil {
		t.Fatal(err)
	}
	if _, err := a.AddAccount(ctx, admin.NewAccount{
		Username: memberName, Password: auth.NewSecret(memberPassword), Tenant: memberTenant,
	}); err != nil {
		t.Fatal(err)
	}
	row, own, err := a.CreateKey(ctx, admin.NewKey{Account: memberName, Permissions: auth.AllPermissions})
	if err != nil {
		t.Fatal(err)
	}
	_, ofTenant, err := a.CreateKey(ctx, admin.NewKey{Tenant: memberTenant, Permissions: auth.AllPermissions})
	if err != nil {
		t.Fatal(err)
	}
	return &issued{
		member: memberName, password: memberPassword, tenant: memberTenant, key: own.Reveal(), keyID: row.ID,
		tenantKey: ofTenant.Reveal(), good: map[string]string{}, fields: map[string][]string{},
	}
}

// basic is the credential of an OAuth client.
func (i *issued) basic() string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d:%s", i.keyID, i.key))
}

// login logs in by every dialect and keeps what was given.
func (i *issued) login(w *whole, site string) {
	w.t.Helper()
	ask := func(method, path, body string, status int, fields ...string) string {
		w.t.Helper()
		a, err := w.try(w.t.Context(), method, site+path, body, fields...)
		if err != nil || a.status != status {
			w.t.Fatalf("%s %s: %v %v", method, path, err, a)
		}
		return a.body
	}
	keep := func(name, token string, fields ...string) string {
		i.good[name], i.fields[name] = token, fields
		return token
	}
	byPassword := fmt.Sprintf(`{"username":%q,"password":%q}`, i.member, i.password)
	for name, path := range map[string]string{"management": "/v1/auth/login", "management jwt": "/v1/jwt/login"} {
		token := memberOf(w.t, ask(http.MethodPost, path, byPassword, 200, jsonType), "token")
		keep(name, token, bearerOf(token))
	}
	timed := timedLogins(i.member, i.key)[0]
	keep("timed_login", timed.tokenIn(w.t, ask(http.MethodPost, "/timed", timed.body, 200, "Content-Type: "+timed.media)))
	place := "/entities/" + url.PathEscape(i.tenant) + "/users/" + i.member + "/authentication-token"
	entity := memberOf(w.t, ask(http.MethodPost, place, "{}", 201, jsonType,
		"apikey: "+i.tenantKey, "userid: "+i.member, "token: "+i.good["management"]), "authenticationToken")
	keep("entity_token", entity, "apikey: "+i.tenantKey, "entity-authentication-token: "+entity)
	local := ask(http.MethodPost, "/authentication",
		fmt.Sprintf(`{"strategy":"local","username":%q,"password":%q}`, i.member, i.password), 201, jsonType)
	keep("login_token password", memberOf(w.t, local, "accessToken"), bearerOf(memberOf(w.t, local, "accessToken")))
	record := ask(http.MethodPost, "/login-token", "{}", 201, jsonType, "Accept: application/json", bearerOf(i.good["login_token password"]))
	link := keep("login_token link", memberOf(w.t, record, "token"))
	redeemed := memberOf(w.t, ask(http.MethodGet, "/login/"+memberOf(w.t, record, "id")+"?token="+link, "", 200), "token")
	keep("login_token jwt", redeemed, bearerOf(redeemed))
	unused := ask(http.MethodPost, "/login-token", "{}", 201, jsonType, bearerOf(i.good["login_token password"]))
	keep("login_token link that is not used", memberOf(w.t, unused, "token"))
	crm := ask(http.MethodPost, "/crm/token",
		fmt.Sprintf(`{"username":%q,"password":%q,"organisation":%q}`, i.member, i.password, i.tenant), 200, jsonType)
	_, rest, _ := strings.Cut(crm, `"data":{"token":"`)
	crmToken, _, _ := strings.Cut(rest, `"`)
	keep("crm_token", crmToken)
	pair := ask(http.MethodPost, "/oauth2/token", "grant_type=client_credentials", 200, formType, i.basic())
	access, refresh := memberOf(w.t, pair, "access_token"), memberOf(w.t, pair, "refresh_token")
	keep("oauth2 access", access, bearerOf(access))
	keep("oauth2 refresh that was used", refresh)
	next := ask(http.MethodPost, "/oauth2/token", "grant_type=refresh_token&refresh_token="+refresh, 200, formType, i.basic())
	keep("oauth2 refresh", memberOf(w.t, next, "refresh_token"))
	keep("oauth2 access after a refresh", memberOf(w.t, next, "access_token"), bearerOf(memberOf(w.t, next, "access_token")))
}
