package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func below(path string) gateway.Rule { return gateway.Rule{Paths: []string{path}} }

// TestARequirementIsHeldLineByLine by ann's token (role user, all permissions,
// of Acme Ltd) and ann's key (scope orders, permission read).
func TestARequirementIsHeldLineByLine(t *testing.T) {
	for _, c := range []struct {
		name    string
		require []gateway.Requirement
		line    string
		reason  auth.Reason // "" for may
	}{
		{"any caller", []gateway.Requirement{{}}, asAnn, ""},
		{"a role", []gateway.Requirement{{Roles: []string{"user"}}}, asAnn, ""},
		{"one of two roles", []gateway.Requirement{{Roles: []string{"admin", "user"}}}, asAnn, ""},
		{"a role that is not there", []gateway.Requirement{{Roles: []string{"admin"}}}, asAnn, auth.ReasonRole},
		{"a role in another case", []gateway.Requirement{{Roles: []string{"USER"}}}, asAnn, auth.ReasonRole},
		{"a scope", []gateway.Requirement{{Scopes: []string{"orders"}}}, withAnnKey, ""},
		{"a scope that is not there", []gateway.Requirement{{Scopes: []string{"orders"}}}, asAnn, auth.ReasonScope},
		{"a permission of a key", []gateway.Requirement{{Permissions: []auth.Permission{auth.Read}}}, withAnnKey, ""},
		{"a permission that a key lacks", []gateway.Requirement{{Permissions: []auth.Permission{auth.Write}}}, withAnnKey, auth.ReasonPermission},
		{"a permission of a token by password", []gateway.Requirement{{Permissions: []auth.Permission{auth.Write}}}, asAnn, ""},
		{"a tenant by id", []gateway.Requirement{{Tenants: []string{"t-1"}}}, asAnn, ""},
		{"a tenant by name, in any case", []gateway.Requirement{{Tenants: []string{"ACME ltd"}}}, asAnn, ""},
		{"a tenant that is not ann's", []gateway.Requirement{{Tenants: []string{"t-2"}}}, asAnn, auth.ReasonTenant},
		{"a tenant in the path", []gateway.Requirement{{Tenants: []string{"{path.1}"}}}, asAnn, ""},
		{"a tenant in a part that the path has not", []gateway.Requirement{{Tenants: []string{"{path.7}"}}}, asAnn, auth.ReasonTenant},
		{"a placeholder that nobody knows", []gateway.Requirement{{Tenants: []string{"{unknown}"}}}, asAnn, auth.ReasonTenant},
		{"one of two tenants", []gateway.Requirement{{Tenants: []string{"t-2", "{path.1}"}}}, asAnn, ""},
		{"a subject", []gateway.Requirement{{Subjects: []string{annID}}}, asAnn, ""},
		{"the subject of a key", []gateway.Requirement{{Subjects: []string{annID}}}, withAnnKey, ""},
		{"a subject that is not ann", []gateway.Requirement{{Subjects: []string{bobID}}}, asAnn, auth.ReasonSubject},
		{"a username is no subject", []gateway.Requirement{{Subjects: []string{"ann"}}}, asAnn, auth.ReasonSubject},
		{"a subject in another case", []gateway.Requirement{{Subjects: []string{strings.ToUpper(annID)}}}, asAnn, auth.ReasonSubject},
		{"one of two subjects", []gateway.Requirement{{Subjects: []string{bobID, annID}}}, asAnn, ""},
		{"a subject in a part that the path has not", []gateway.Requirement{{Subjects: []string{"{path.7}"}}}, asAnn, auth.ReasonSubject},
		{"a subject that nobody knows", []gateway.Requirement{{Subjects: []string{"{unknown}"}}}, asAnn, auth.ReasonSubject},
		{"a tenant that holds and a subject that fails", []gateway.Requirement{{Tenants: []string{"t-1"}, Subjects: []string{bobID}}}, asAnn, auth.ReasonSubject},
		{"two lines that hold", []gateway.Requirement{{Roles: []string{"user"}, Tenants: []string{"t-1"}}}, asAnn, ""},
		{"two lines of which the first fails", []gateway.Requirement{{Roles: []string{"admin"}, Tenants: []string{"t-1"}}}, asAnn, auth.ReasonRole},
		{"two lines of which the second fails", []gateway.Requirement{{Roles: []string{"user"}, Tenants: []string{"t-2"}}}, asAnn, auth.ReasonTenant},
		{"two requirements that hold", []gateway.Requirement{{Roles: []string{"user"}}, {Tenants: []string{"t-1"}}}, asAnn, ""},
		{"two requirements of which the second fails", []gateway.Requirement{{Roles: []string{"user"}}, {Tenants: []string{"t-2"}}}, asAnn, auth.ReasonTenant},
		{"one that is about another path", []gateway.Requirement{{Rule: below("/other/*"), Roles: []string{"admin"}}}, asAnn, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gateway.Config{Require: c.require})
			got := w.do(get("/orders/t-1", c.line))
			if c.reason == "" {
				wantForwarded(t, got, annID)
				return
			}
			wantRefused(t, got, http.StatusForbidden)
			if v := got.Header.Get("WWW-Authenticate"); !strings.Contains(v, `error="insufficient_scope"`) {
				t.Errorf("the challenge is %q", v)
			}
			if e := w.wantReason(gateway.Refused, c.reason); e.Subject != annID || e.Code != auth.InsufficientScope {
				t.Errorf("audited was %+v", e)
			}
		})
	}
}

func TestWhoPresentsNothingIsAskedForACredentialNotTurnedAway(t *testing.T) {
	w := newWorld(t, gateway.Config{Require: []gateway.Requirement{{Roles: []string{"admin"}}}})
	got := w.do(get("/x"))
	wantRefused(t, got, http.StatusUnauthorized)
	if v := got.Header.Get("WWW-Authenticate"); strings.Contains(v, "error") || !strings.HasPrefix(v, "Bearer") {
		t.Errorf("the challenge is %q", v)
	}
	w.wantReason(gateway.Refused, "no_credential")
}

func TestARequirementWinsOverAPublicPath(t *testing.T) {
	w := newWorld(t, gateway.Config{
		Public:  []gateway.Rule{{Paths: []string{"/docs/*"}}},
		Require: []gateway.Requirement{{Rule: below("/docs/internal/*"), Roles: []string{"user"}}},
	})
	wantForwarded(t, w.do(get("/docs/x")), "")
	wantForwarded(t, w.do(get("/docs/internal/x", asAnn)), annID)
	wantRefused(t, w.do(get("/docs/internal/x")), http.StatusUnauthorized)
	wantRefused(t, w.do(get("/docs/internal/x", asNobody)), http.StatusUnauthorized)
	wantRefused(t, w.do(get("/docs/internal/x", asBob)), http.StatusForbidden)
	w.events, w.counted = nil, nil
	wantRefused(t, w.do(get("/docs/internal/x", asNobody)), http.StatusUnauthorized)
	if e := w.wantReason(gateway.Refused, "no_credential"); e.Credential != "" {
		t.Errorf("a credential that counts for nothing was audited: %+v", e)
	}
}

// TestAPlaceholderThatNobodyKnowsIsNobodysName, although a tenant is called so.
func TestAPlaceholderThatNobodyKnowsIsNobodysName(t *testing.T) {
	w := newWorld(t, gateway.Config{Require: []gateway.Requirement{{Tenants: []string{"{unknown}"}}}})
	must(t, w.store.Tenants.InsertTenant(w.ctx, store.Tenant{ID: "t-2", Realm: realm, Name: "{unknown}"}))
	must(t, w.store.Memberships.PutMembership(w.ctx, store.Membership{Realm: realm, Account: annID, Tenant: "t-2"}))
	wantRefused(t, w.do(get("/x", asAnn)), http.StatusForbidden)
	w.wantReason(gateway.Refused, auth.ReasonTenant)
}

// TestNoSpellingOfAPathIsAWayAroundARequirement, for what an upstream might
// take for the same path.
func TestNoSpellingOfAPathIsAWayAroundARequirement(t *testing.T) {
	w := newWorld(t, gateway.Config{Require: []gateway.Requirement{{Rule: below("/admin/*"), Roles: []string{"admin"}}}})
	for _, path := range []string{
		"/admin", "/admin/", "/admin/x", "/ADMIN/x", "/Admin/X", "/%61dmin/x", "/admin./x", "/admin%20/x",
	} {
		got := w.do(get(path, asAnn))
		if got.forwarded != nil {
			t.Errorf("%s got through", path)
		}
		wantRefused(t, got, http.StatusForbidden)
	}
	for _, path := range []string{"/adminx", "/admin-backup/x", "/x/admin"} {
		wantForwarded(t, w.do(get(path, asAnn)), annID)
	}
}

// TestACallerReachesItsOwnPathAlone, whatever a cached verdict was good for.
func TestACallerReachesItsOwnPathAlone(t *testing.T) {
	w := newWorld(t, gateway.Config{Require: []gateway.Requirement{{Rule: below("/users/*"), Subjects: []string{"{path.1}"}}}})
	for range 3 {
		wantForwarded(t, w.do(get("/users/"+annID+"/mail", asAnn)), annID)
		wantRefused(t, w.do(get("/users/"+bobID+"/mail", asAnn)), http.StatusForbidden)
		wantForwarded(t, w.do(get("/users/"+bobID+"/mail", asBob)), bobID)
		wantRefused(t, w.do(get("/users", asAnn)), http.StatusForbidden)
	}
}

// TestACachedVerdictIsJudgedByEachRequest: what was allowed once is decided
// again for another path and another caller.
func TestACachedVerdictIsJudgedByEachRequest(t *testing.T) {
	w := newWorld(t, gateway.Config{Require: []gateway.Requirement{{Rule: below("/tenants/*"), Tenants: []string{"{path.1}"}}}})
	for range 3 {
		wantForwarded(t, w.do(get("/tenants/t-1", asAnn)), annID)
		wantRefused(t, w.do(get("/tenants/t-2", asAnn)), http.StatusForbidden)
		wantRefused(t, w.do(get("/tenants/t-1", asBob)), http.StatusForbidden)
	}
	w.changeAccount(annID, func(a *store.Account) { a.Disabled = true })
	wantRefused(t, w.do(get("/tenants/t-1", asAnn)), http.StatusUnauthorized)
}
