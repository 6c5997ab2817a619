package gateway_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	annPlace  = "/entities/Acme%20Ltd/users/ann/authentication-token"
	entityKey = "planted-key-of-acme-0001"
)

// entitySite is a world with an entity_token login, a key of Acme Ltd, and bob
// as a stranger to it.
func entitySite(t testing.TB, options ...func(*dialect.Config)) *world {
	t.Helper()
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "entity_token", options...)}})
	w.addKey(entityKey, store.Key{Tenant: "t-1"})
	return w
}

// annCalls makes one of the dialect's own calls as ann.
func (w *world) annCalls(method, path, body string, status int) map[string]any {
	w.t.Helper()
	r := post(path, body, "apikey: "+entityKey, "userid: ann", "token: "+annBearer)
	r.Method = method
	got := w.do(r)
	wantAnswered(w.t, got, status)
	var answer map[string]any
	must(w.t, json.Unmarshal([]byte(got.body), &answer))
	if ok, _ := answer["success"].(bool); ok != (status < 300) {
		w.t.Errorf("%d %s", status, got.body)
	}
	return answer
}

// byEntity is a proxied call with an entity token.
func (w *world) byEntity(text any, lines ...string) result {
	w.t.Helper()
	return w.do(get("/quests", append(lines, "apikey: "+entityKey, "entity-authentication-token: "+text.(string))...))
}

func TestTheLifeOfAnEntityToken(t *testing.T) {
	w := entitySite(t)
	w.annCalls(http.MethodGet, annPlace, "", http.StatusNotFound)
	first := w.annCalls(http.MethodPost, annPlace, "", http.StatusCreated)["authenticationToken"]
	for range 3 { // the second verdict comes out of the cache
		got := w.byEntity(first)
		wantForwarded(t, got, annID)
		if tenant := got.forwarded.Header.Get("X-Auth-Tenant"); tenant != "t-1" && tenant != "Acme Ltd" {
			t.Errorf("the upstream was told of tenant %q", tenant)
		}
		if sent := wire(t, got.forwarded); strings.Contains(sent, first.(string)) || strings.Contains(sent, entityKey) {
			t.Errorf("the upstream was sent a credential: %s", sent)
		}
	}
	second := w.annCalls(http.MethodPost, annPlace+"/refresh", `{"authenticationToken":"`+first.(string)+`"}`, http.StatusOK)["authenticationToken"]
	wantRefused(t, w.byEntity(first), http.StatusUnauthorized)
	wantForwarded(t, w.byEntity(second), annID)
	w.annCalls(http.MethodPost, annPlace+"/refresh", `{"authenticationToken":"`+first.(string)+`"}`, http.StatusBadRequest)
	if got := w.annCalls(http.MethodGet, annPlace, "", http.StatusOK)["authenticationToken"]; got != second {
		t.Errorf("given back is %v", got)
	}
	w.annCalls(http.MethodPatch, annPlace, `{"expiry":"9999-12-31T23:59:59Z"}`, http.StatusBadRequest)
	w.annCalls(http.MethodPatch, annPlace, `{"flags":["a"]}`, http.StatusOK)
	wantForwarded(t, w.byEntity(second), annID)
	w.annCalls(http.MethodPatch, annPlace, `{"expiry":"2001-01-01T00:00:00+14:00"}`, http.StatusOK)
	wantRefused(t, w.byEntity(second), http.StatusUnauthorized)
	w.annCalls(http.MethodDelete, annPlace, "", http.StatusNotFound)
	third := w.annCalls(http.MethodPost, annPlace, "{}", http.StatusCreated)["authenticationToken"]
	wantForwarded(t, w.byEntity(third), annID)
	w.annCalls(http.MethodDelete, annPlace, "", http.StatusOK)
	wantRefused(t, w.byEntity(third), http.StatusUnauthorized)
	w.annCalls(http.MethodDelete, annPlace, "", http.StatusNotFound)
}

func TestAnOverlapHoldsOnGuardedPathsAndEndsWithTheToken(t *testing.T) {
	w := entitySite(t, func(c *dialect.Config) { c.Options = map[string][]string{"overlap": {"1m"}} })
	first := w.annCalls(http.MethodPost, annPlace, "", http.StatusCreated)["authenticationToken"]
	second := w.annCalls(http.MethodPost, annPlace+"/refresh", "", http.StatusOK)["authenticationToken"]
	for range 2 {
		wantForwarded(t, w.byEntity(first), annID)
		wantForwarded(t, w.byEntity(second), annID)
	}
	w.clock.Store(int64(time.Minute))
	wantRefused(t, w.byEntity(first), http.StatusUnauthorized)
	third := w.annCalls(http.MethodPost, annPlace+"/refresh", "", http.StatusOK)["authenticationToken"]
	wantForwarded(t, w.byEntity(second), annID)
	w.annCalls(http.MethodDelete, annPlace, "", http.StatusOK)
	wantRefused(t, w.byEntity(second), http.StatusUnauthorized)
	wantRefused(t, w.byEntity(third), http.StatusUnauthorized)
}

func TestWhoLeavesAnEntityLosesItsToken(t *testing.T) {
	w := entitySite(t)
	text := w.annCalls(http.MethodPost, annPlace, "", http.StatusCreated)["authenticationToken"]
	wantForwarded(t, w.byEntity(text), annID)
	must(t, w.store.Memberships.DeleteMembership(w.ctx, realm, annID, "t-1"))
	wantRefused(t, w.byEntity(text), http.StatusUnauthorized)
}

// TestAnExpiredUserTokenAsksForALogin, on the dialect's own calls and on
// guarded ones; an expired key and an expired entity token do not.
func TestAnExpiredUserTokenAsksForALogin(t *testing.T) {
	w := entitySite(t)
	w.addKey("planted-key-that-expires", store.Key{Tenant: "t-1", Expires: store.Precise(w.now().Add(time.Hour + time.Minute))})
	user := []string{"userid: ann", "token: " + annBearer}
	text := w.annCalls(http.MethodPost, annPlace, "", http.StatusCreated)["authenticationToken"].(string)
	w.clock.Store(int64(time.Hour)) // annBearer is over, and remembered for an hour
	for name, r := range map[string]*http.Request{
		"its own call":   get(annPlace, append(user, "apikey: "+entityKey)...),
		"a guarded call": get("/quests", append(user, "apikey: "+entityKey)...),
	} {
		got := w.do(r)
		if name == "a guarded call" {
			wantRefused(t, got, http.StatusUnauthorized)
		} else {
			wantAnswered(t, got, http.StatusUnauthorized)
		}
		if !strings.Contains(got.body, `"userTokenExpired":true,"loginAgain":true`) {
			t.Errorf("%s is answered %s", name, got.body)
		}
	}
	w.addSession("planted-second-login", store.Session{ID: "second", Subject: annID})
	w.clock.Store(int64(time.Hour + time.Minute)) // and now the key
	fresh := []string{"userid: ann", "token: planted-second-login", "apikey: planted-key-that-expires"}
	for _, r := range []*http.Request{
		get(annPlace, fresh...), get("/quests", fresh...),
		get("/quests", "apikey: planted-key-that-expires", "entity-authentication-token: "+text),
	} {
		got := w.do(r)
		if got.forwarded != nil || got.StatusCode != http.StatusUnauthorized || strings.Contains(got.body, "Expired") {
			t.Errorf("%s with an expired key: %d %s", r.URL.Path, got.StatusCode, got.body)
		}
	}
	w.clock.Store(int64(48 * time.Hour))
	if got := w.byEntity(text); got.forwarded != nil || strings.Contains(got.body, "Expired") {
		t.Errorf("an expired entity token is answered %s", got.body)
	}
}

func TestWhoHasNoBusinessInAnEntityIsRefused(t *testing.T) {
	w := entitySite(t)
	w.addKey("planted-key-of-everyone1", store.Key{Gateway: true})
	must(t, w.store.Tenants.InsertTenant(w.ctx, store.Tenant{ID: "t-2", Realm: realm, Name: "Beta"}))
	asAnn := []string{"apikey: planted-key-of-everyone1", "userid: ann", "token: " + annBearer}
	asBob := []string{"apikey: planted-key-of-everyone1", "userid: bob", "token: " + bobBearer}
	for path, lines := range map[string][]string{
		"/entities/Beta/users/ann/authentication-token":          asAnn,
		"/entities/Gamma/users/ann/authentication-token":         asAnn,
		"/entities/t-2/users/ann/authentication-token/refresh":   asAnn,
		"/entities/Acme%20Ltd/users/bob/authentication-token":    asAnn,
		"/entities/Acme%20Ltd/users/nobody/authentication-token": asAnn,
		annPlace: asBob,
		"/entities/acme%20ltd/users/bob/authentication-token": asBob,
	} {
		got := w.do(request(http.MethodPost, path, lines...))
		wantAnswered(t, got, http.StatusForbidden)
		if e := w.refusals()[len(w.refusals())-1]; e.Code != auth.InsufficientScope || e.Dialect != "entity_token" {
			t.Errorf("audited %+v", e)
		}
	}
}

// TestAPathThatReadsTwoWaysNamesNoEntity: it is refused in the dialect's shape.
func TestAPathThatReadsTwoWaysNamesNoEntity(t *testing.T) {
	w := entitySite(t)
	for _, entity := range []string{"a%2Fb", "..", "%2e%2e", "a%5Cb", "", "a;b", "%2541", "a%00", "%ff"} {
		r := request(http.MethodGet, "/entities/"+entity+"/users/ann/authentication-token", "apikey: "+entityKey, "userid: ann", "token: "+annBearer)
		got := w.do(r)
		if got.forwarded != nil || got.StatusCode != http.StatusBadRequest || !strings.HasPrefix(got.body, `{"success":false,"error":"`) {
			t.Errorf("%q: forwarded %v, answered %d %s", entity, got.forwarded != nil, got.StatusCode, got.body)
		}
	}
}

// TestOtherCallsBelowTheBaseAreForwardedWhereTheOptionSaysSo, guarded as every
// other request, and no spelling of the dialect's own is among them.
func TestOtherCallsBelowTheBaseAreForwardedWhereTheOptionSaysSo(t *testing.T) {
	credentials := []string{"apikey: " + entityKey, "userid: ann", "token: " + annBearer}
	w := entitySite(t)
	wantAnswered(t, w.do(get("/entities/Acme%20Ltd/users/ann/gems", credentials...)), http.StatusNotFound)
	w = entitySite(t, func(c *dialect.Config) { c.Options = map[string][]string{"forward_others": nil} })
	w.annCalls(http.MethodPost, annPlace, "", http.StatusCreated)
	for _, path := range []string{"/entities", "/entities/Acme%20Ltd", "/entities/Acme%20Ltd/users/ann/gems", "/entities/Acme%20Ltd/authentication-token"} {
		wantForwarded(t, w.do(get(path, credentials...)), annID)
		wantRefused(t, w.do(get(path)), http.StatusUnauthorized)
	}
	for _, path := range []string{annPlace + "/", annPlace + "/x", strings.ToUpper(annPlace), strings.Replace(annPlace, "users", "Users", 1)} {
		wantAnswered(t, w.do(get(path, credentials...)), http.StatusNotFound)
	}
}

// TestAnExpiredUserTokenIsToldApart, whichever dialect issued it: its client
// has to log in again.
func TestAnExpiredUserTokenIsToldApart(t *testing.T) {
	for name, life := range map[string]time.Duration{"management": 30 * time.Minute, "timed_login": 20 * time.Second, "oauth2": time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "entity_token"), login(t, name)}, InsecureHTTP: true})
			w.addKey(entityKey, store.Key{Tenant: "t-1"})
			token := w.logIn(name)
			ask := func() result {
				return w.do(get(annPlace, "apikey: "+entityKey, "userid: ann", "token: "+token))
			}
			if got := ask(); got.StatusCode != http.StatusNotFound {
				t.Fatalf("a good user token: %d %s", got.StatusCode, got.body)
			}
			w.clock.Add(int64(life))
			if got := ask(); got.StatusCode != http.StatusUnauthorized || !strings.Contains(got.body, `"userTokenExpired":true`) {
				t.Errorf("an expired one: %d %s", got.StatusCode, got.body)
			}
			w.clock.Add(int64(session.DefaultRemember))
			if got := ask(); got.StatusCode != http.StatusUnauthorized || strings.Contains(got.body, "userTokenExpired") {
				t.Errorf("a forgotten one: %d %s", got.StatusCode, got.body)
			}
		})
	}
}
