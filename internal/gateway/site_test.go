package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// failing returns a fault of this code.
func failing(code auth.Code) func(context.Context) error {
	return func(context.Context) error { return auth.Fail(code, "", nil) }
}

func TestAConfigurationThatCannotWorkIsAnErrorThatSaysWhy(t *testing.T) {
	bearerOnly := []bearer.Spec{{Kind: auth.Bearer}}
	unwilling := brokenLogin("/broken")
	unwilling.Kind.New = func(dialect.Config, *session.Service) (dialect.Dialect, error) { return nil, errors.New("unwilling") }
	for _, c := range []struct {
		name string
		cfg  gateway.Config
		want string
	}{
		{"nothing is accepted", gateway.Config{}, "no credential counts on this site"},
		{"nothing is accepted although there is a login", gateway.Config{Logins: []gateway.Login{login(t, "management")}, Accept: []bearer.Spec{}}, "no credential counts on this site"},
		{"a credential that is none", gateway.Config{Accept: []bearer.Spec{{Kind: "cookie"}}}, "cookie"},
		{"a key in a field with a meaning of its own", gateway.Config{Accept: []bearer.Spec{{Kind: auth.APIKey, Name: "Host"}}}, "Host"},
		{"errors of a dialect that is not there", gateway.Config{Accept: bearerOnly, Errors: "management"}, "no login management"},
		{"errors of no dialect", gateway.Config{Accept: bearerOnly, Errors: "html"}, "html"},
		{"a public pattern that no request has", gateway.Config{Accept: bearerOnly, Public: []gateway.Rule{{Paths: []string{"/a/../b"}}}}, "public"},
		{"a public rule that says nothing", gateway.Config{Accept: bearerOnly, Public: []gateway.Rule{{}}}, "public"},
		{"a required pattern that no request has", gateway.Config{Accept: bearerOnly, Require: []gateway.Requirement{{Rule: below("x")}}}, "require"},
		{"a field without a name", gateway.Config{Accept: bearerOnly, Fields: []gateway.Field{{}}}, "identity"},
		{"a field that a credential is read from", gateway.Config{Accept: []bearer.Spec{{Kind: auth.APIKey, Name: "X-Own"}}, Fields: []gateway.Field{{Name: "x_own"}}}, "identity"},
		{"a method that cannot be forwarded", gateway.Config{Accept: bearerOnly, Methods: []string{"TRACE"}}, "methods"},
		{"a dialect that does not want to", gateway.Config{Logins: []gateway.Login{unwilling}}, "login broken /broken: unwilling"},
	} {
		t.Run(c.name, func(t *testing.T) {
			site, err := gateway.New(c.cfg)
			if err == nil || site != nil {
				t.Fatalf("got %v, %v", site, err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v does not say %q", err, c.want)
			}
		})
	}
}

func TestWithoutAcceptTheCredentialsOfTheDialectsCount(t *testing.T) {
	w := newWorld(t, gateway.Config{Logins: []gateway.Login{login(t, "management"), login(t, "timed_login")}})
	for _, r := range []*http.Request{get("/x", asAnn), get("/x", withAnnKey), get("/x?token=" + annGUID)} {
		wantForwarded(t, w.do(r), annID)
	}
	wantRefused(t, w.do(get("/x", "Apikey: "+annKey, "Userid: ann", "Token: "+annBearer)), http.StatusUnauthorized)
	if h := w.site.Chain().Headers(); strings.Join(h, " ") != "Authorization X-Api-Key" {
		t.Errorf("credentials are in %q", h)
	}
}

// TestACredentialThatAcceptNamesIsReadAsItsDialectSays: the form of a token
// and the case of its name are the dialect's.
func TestACredentialThatAcceptNamesIsReadAsItsDialectSays(t *testing.T) {
	w := newWorld(t, gateway.Config{
		Logins: []gateway.Login{login(t, "timed_login")}, Accept: []bearer.Spec{{Kind: auth.Query, Name: "Token"}}, Errors: gateway.Problem,
	})
	wantForwarded(t, w.do(get("/x?tOkEn="+strings.ToUpper(annGUID))), annID)
	w.wantCounted("passed")
	wantRefused(t, w.do(get("/x?Token=nothing-like-one")), http.StatusBadRequest)
	w.wantReason(gateway.Refused, auth.ReasonForm)
	wantRefused(t, w.do(get("/x", withAnnKey)), http.StatusUnauthorized)
}

func TestASiteIsOfTheDefaultRealmWhereNoneIsNamed(t *testing.T) {
	site, err := gateway.New(gateway.Config{Accept: []bearer.Spec{{Kind: auth.Bearer}}})
	must(t, err)
	if site.Realm() != "default" {
		t.Errorf("the realm is %q", site.Realm())
	}
}

func TestEveryOutcomeHasAName(t *testing.T) {
	for o, want := range map[gateway.Outcome]string{
		gateway.Passed: "passed", gateway.Anonymous: "anonymous", gateway.Refused: "refused", gateway.Observed: "observed",
	} {
		if o.String() != want {
			t.Errorf("%d is %s", o, o)
		}
	}
	if len(gateway.Outcomes) != 4 {
		t.Errorf("%d outcomes", len(gateway.Outcomes))
	}
}
