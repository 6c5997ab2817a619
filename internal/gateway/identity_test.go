package gateway_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// forged are fields with which a client poses as bob.
var forged = []string{
	"X-Auth-Subject: " + bobID, "x-auth-username: bob", "X_Auth_Roles: admin", "X-Auth.Tenant: t-9",
	"X-Auth-Anything: x", "X-Http-Method-Override: DELETE", "X-Original-Url: /admin", "X-Own: bob",
}

// posing returns the fields of a request that pose as somebody: every spelling
// of an identity field, and mentions that make a proxy drop ours.
func posing(r *http.Request) (names []string) {
	for name, values := range r.Header {
		folded := strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		identity := strings.HasPrefix(folded, "x-auth-") || folded == "x-own" ||
			folded == "x-http-method-override" || folded == "x-original-url"
		if identity || folded == "connection" && strings.Contains(strings.ToLower(strings.Join(values, ",")), "x-auth") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func TestTheUpstreamLearnsWhoCallsFromUsAlone(t *testing.T) {
	w := newWorld(t, gateway.Config{Fields: []gateway.Field{{Name: "X-Own", Value: "{user}"}}})
	got := w.do(get("/x", append(slices.Clone(forged), asAnn, "Connection: close, X-Auth-Subject", "Accept: text/plain")...))
	wantForwarded(t, got, annID)
	want := map[string]string{
		"X-Auth-Subject": annID, "X-Auth-Username": "ann", "X-Auth-Roles": "user", "X-Auth-Credential": "bearer:" + annToken,
		"X-Own": "ann",
	}
	if names := posing(got.forwarded); len(names) != len(want) {
		t.Errorf("the upstream was sent %q", names)
	}
	for name, value := range want {
		if v := got.forwarded.Header[name]; len(v) != 1 || v[0] != value {
			t.Errorf("%s is %q, want %q once", name, v, value)
		}
	}
	if got.forwarded.Header.Get("Accept") != "text/plain" || got.forwarded.Header.Get("Connection") != "close" {
		t.Errorf("what is none of our business was changed: %v", got.forwarded.Header)
	}
	w.wantCounted("passed")
}

func TestAnAnonymousRequestTellsTheUpstreamOfNobody(t *testing.T) {
	w := newWorld(t, gateway.Config{Public: []gateway.Rule{{Paths: []string{"/docs/*"}}}, Fields: []gateway.Field{{Name: "X-Own", Value: "{user}"}}})
	got := w.do(get("/docs/x", append(slices.Clone(forged), "Connection: X-Auth-Subject, X-Own")...))
	wantForwarded(t, got, "")
	if names := posing(got.forwarded); len(names) != 0 {
		t.Errorf("the upstream was sent %q", names)
	}
	if len(w.attached) != 1 || w.attached[0] != nil {
		t.Errorf("the server was told of %v", w.attached)
	}
	w.wantCounted("anonymous")
}

func TestForgedFieldsInTrailersAreRemoved(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	r := request(http.MethodPost, "/x", asAnn)
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(strings.NewReader("body")), -1, []string{"chunked"}
	r.Trailer = http.Header{"X-Auth-Subject": {bobID}, "X-Checksum": {"1"}}
	got := w.do(r)
	wantForwarded(t, got, annID)
	if got.sent != "body" || len(got.forwarded.Trailer) != 1 {
		t.Errorf("body %q, trailers %v", got.sent, got.forwarded.Trailer)
	}
}

func TestConfiguredFieldsAreExpandedForTheVerifiedCaller(t *testing.T) {
	w := newWorld(t, gateway.Config{Fields: []gateway.Field{
		{Name: "x-own", Value: "{user}"}, {Name: "X-Fixed", Value: "né%"}, {Name: "X-Auth-Username", Value: "{path.0}"},
	}})
	got := w.do(get("/orders", asAnn, "X-Own: forged", "x-fixed: forged"))
	wantForwarded(t, got, annID)
	for name, want := range map[string]string{"X-Own": "ann", "X-Fixed": "n%C3%A9%25", "X-Auth-Username": "orders"} {
		if v := got.forwarded.Header[name]; len(v) != 1 || v[0] != want {
			t.Errorf("%s is %q, want %q once", name, v, want)
		}
	}
}

func TestATemplateWithoutPlaceholdersNeedsNoHook(t *testing.T) {
	site, err := gateway.New(gateway.Config{
		Accept: []bearer.Spec{{Kind: auth.Bearer}}, Fields: []gateway.Field{{Name: "X-Own", Value: "fixed"}},
		Require: []gateway.Requirement{{Tenants: []string{"acme LTD"}}},
	})
	must(t, err)
	w := newWorld(t, gateway.Config{})
	site.Bind(w.rt)
	got := send(t, site, get("/x", asAnn))
	wantForwarded(t, got, annID)
	if got.forwarded.Header.Get("X-Own") != "fixed" {
		t.Errorf("the upstream was sent %v", got.forwarded.Header)
	}
}

func TestATemplateSeesNoCredential(t *testing.T) {
	w := newWorld(t, gateway.Config{
		Fields: []gateway.Field{{Name: "X-Own", Value: "{header}"}},
		Hooks: gateway.Hooks{Expand: func(r *http.Request, _ string) (string, error) {
			return r.Header.Get("Authorization"), nil
		}},
	})
	got := w.do(get("/x", asAnn))
	wantForwarded(t, got, annID)
	if v := got.forwarded.Header["X-Own"]; len(v) != 0 {
		t.Errorf("the upstream was sent %q", v)
	}
}

func TestAFieldThatCannotBeWorkedOutIsAFaultOfOurs(t *testing.T) {
	w := newWorld(t, gateway.Config{Fields: []gateway.Field{{Name: "X-Own", Value: "{unknown}"}}})
	got := w.do(get("/x", asAnn))
	wantRefused(t, got, http.StatusInternalServerError)
	if strings.Contains(got.body, "unknown") {
		t.Errorf("the answer says too much: %s", got.body)
	}
	if e := w.wantReason(gateway.Refused, "internal"); e.Subject != annID {
		t.Errorf("audited was %+v", e)
	}
}

func TestCredentialsAreTakenOutBeforeForwarding(t *testing.T) {
	all := []bearer.Spec{
		{Kind: auth.Bearer},
		{Kind: auth.APIKey},
		{Kind: auth.KeyUserToken},
		{Kind: auth.Basic},
		{Kind: auth.Query, Name: "token", FoldName: true},
	}
	for _, c := range []struct {
		name    string
		request *http.Request
		secret  string
	}{
		{"bearer", get("/x?a=1&b=%20", asAnn), annBearer},
		{"api_key", get("/x?a=1&b=%20", withAnnKey), annKey},
		{"both, of one caller", get("/x?a=1&b=%20", asAnn, withAnnKey), annKey},
		{"key_user_token", get("/x?a=1&b=%20", "Apikey: "+annKey, "Userid: ann", "Token: "+annBearer), annBearer},
		{"basic", get("/x?a=1&b=%20", "Authorization: Basic cGxhbnRlZC1rZXktb2YtYW5uLTAwMDE6"), "cGxhbnRlZC"},
		{"query", get("/x?a=1&TOKEN=" + annBearer + "&b=%20"), annBearer},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gateway.Config{Accept: all})
			got := w.do(c.request)
			wantForwarded(t, got, annID)
			if sent := wire(t, got.forwarded); strings.Contains(sent, c.secret) {
				t.Errorf("the upstream was sent the credential:\n%s", sent)
			}
			if got.forwarded.URL.RawQuery != "a=1&b=%20" || got.forwarded.RequestURI != "/x?a=1&b=%20" {
				t.Errorf("the query became %q, the target %q", got.forwarded.URL.RawQuery, got.forwarded.RequestURI)
			}
		})
	}
}

// wire returns a request as it would be written, and its target as it came.
func wire(t testing.TB, r *http.Request) string {
	t.Helper()
	var b strings.Builder
	must(t, r.Header.Write(&b))
	return r.URL.String() + "\n" + r.RequestURI + "\n" + b.String()
}

func TestABodyWithACredentialArrivesAsItWasSent(t *testing.T) {
	w := newWorld(t, gateway.Config{Accept: []bearer.Spec{{Kind: auth.Body, Name: "token"}}})
	body := `{"a": 1, "token":"` + annBearer + `"}`
	r := request(http.MethodPost, "/x")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	got := w.do(r)
	wantForwarded(t, got, annID)
	if got.sent != body {
		t.Errorf("the upstream read %q", got.sent)
	}
}

func TestCredentialsAreKeptWhereTheUpstreamWantsThem(t *testing.T) {
	w := newWorld(t, gateway.Config{KeepCredentials: true})
	got := w.do(get("/x", asAnn, withAnnKey, "X-Auth-Subject: "+bobID))
	wantForwarded(t, got, annID)
	if got.forwarded.Header.Get("Authorization") != "Bearer "+annBearer || got.forwarded.Header.Get("X-Api-Key") != annKey {
		t.Errorf("the upstream was sent %v", got.forwarded.Header)
	}
}

// TestACredentialThatWasNotVerifiedIsNeverKept: an upstream that is given
// credentials takes them for good ones.
func TestACredentialThatWasNotVerifiedIsNeverKept(t *testing.T) {
	for _, c := range []struct {
		name    string
		request *http.Request
		subject string
		kept    string
	}{
		{"a bad one on a public path", get("/docs/x", asNobody), "", ""},
		{"two of one source on a public path", get("/docs/x", asAnn, asBob), "", ""},
		{"two of different callers on a public path", get("/docs/x", asAnn, withBobKey), "", ""},
		{"a good one on a public path", get("/docs/x", asAnn), annID, "Authorization"},
		{"a bad one that yields", get("/x", asNobody, withAnnKey), annID, "X-Api-Key"},
		{"one of no form that yields", get("/x", formlessKey, withAnnKey), annID, "X-Api-Key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, gateway.Config{
				Logins: []gateway.Login{login(t, "management")}, KeepCredentials: true,
				Public: []gateway.Rule{{Paths: []string{"/docs/*"}}},
			})
			got := w.do(c.request)
			wantForwarded(t, got, c.subject)
			for _, name := range []string{"Authorization", "X-Api-Key"} {
				if kept := len(got.forwarded.Header[name]) > 0; kept != (name == c.kept) {
					t.Errorf("%s: kept %v", name, kept)
				}
			}
		})
	}
}

func TestABadCredentialIsNotKeptInAnySpellingOfItsName(t *testing.T) {
	w := newWorld(t, gateway.Config{
		Accept: []bearer.Spec{{Kind: auth.Query, Name: "token"}, {Kind: auth.Query, Name: "Token"}}, Public: docs, KeepCredentials: true,
	})
	got := w.do(get("/docs/x?TOKEN=" + badBearer))
	wantForwarded(t, got, "")
	if got.forwarded.URL.RawQuery != "" {
		t.Errorf("the upstream was sent %q", got.forwarded.URL.RawQuery)
	}
}

func TestAKeyInTheHeaderOfATripleIsKept(t *testing.T) {
	accept := []bearer.Spec{{Kind: auth.KeyUserToken}, {Kind: auth.APIKey, Name: "apikey"}}
	w := newWorld(t, gateway.Config{Accept: accept, KeepCredentials: true})
	for _, r := range []*http.Request{
		get("/x", "Apikey: "+annKey),
		get("/x", "Apikey: "+annKey, "Userid: ann", "Token: "+annBearer),
	} {
		before := r.Header.Clone()
		got := w.do(r)
		wantForwarded(t, got, annID)
		for name := range before {
			if got.forwarded.Header.Get(name) != before.Get(name) {
				t.Errorf("%s became %q", name, got.forwarded.Header.Get(name))
			}
		}
	}
}

func TestTheErrorOfTheUpstreamComesBackUnchanged(t *testing.T) {
	w := newWorld(t, gateway.Config{})
	want := errors.New("the upstream's own")
	err := w.site.ServeHTTP(nil, get("/x", asAnn), func(http.ResponseWriter, *http.Request) error { return want })
	if !errors.Is(err, want) || err.Error() != want.Error() {
		t.Errorf("got %v", err)
	}
}
