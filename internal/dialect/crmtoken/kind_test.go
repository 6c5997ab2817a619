package crmtoken_test

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/crmtoken"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func TestKind(t *testing.T) {
	k := crmtoken.Kind()
	if k.Name != "crm_token" || k.Base != "/authentication" || k.TTL != time.Hour {
		t.Errorf("got %q at %q for %v", k.Name, k.Base, k.TTL)
	}
	if len(k.Yields) != 0 {
		t.Error("a bad token is never made good by another credential")
	}
	if len(k.Refused) != 0 {
		t.Errorf("refused are %v", k.Refused)
	}
}

func TestItsTokenStandsInTheBodyTheQueryOrTheField(t *testing.T) {
	for options, strips := range map[string]bool{"max_body 100": false, "max_body 100\nstrip_credentials": true} {
		specs := crmtoken.Kind().Credentials(configure(t, options))
		kinds := map[auth.CredentialKind]bool{}
		for _, s := range specs {
			kinds[s.Kind] = true
			if err := s.Check(); err != nil {
				t.Error(err)
			}
			if s.Form != nil || s.FoldName {
				t.Errorf("a token of any form stands in a place of exactly this name, in %+v", s)
			}
			if s.Kind != auth.Bearer && s.Name != "token" {
				t.Errorf("the name is %q", s.Name)
			}
			if s.Kind == auth.Body && (s.MaxBody != 100 || s.StripMember != strips) {
				t.Errorf("the body is read by %+v", s)
			}
		}
		if len(specs) != 3 || !kinds[auth.Bearer] || !kinds[auth.Query] || !kinds[auth.Body] {
			t.Errorf("got %+v", specs)
		}
	}
}

// sessions returns what the dialect's sessions are like, given what the gateway
// fills in before.
func sessions(t testing.TB, options string) session.Config {
	cfg := configure(t, options)
	s := session.Config{TTL: cfg.TTL, Idle: cfg.Idle, JWT: cfg.Format == "jwt"}
	if s.TTL == 0 {
		s.TTL = crmtoken.Kind().TTL
	}
	crmtoken.Kind().Session(cfg, &s)
	return s
}

func TestLives(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for options, want := range map[string][3]time.Duration{ // the life, the idle time, the life of a key's token; 0 is the life
		"":                          {time.Hour, 0, 2 * time.Hour},
		"format opaque":             {time.Hour, 0, 2 * time.Hour},
		"format jwt":                {2 * time.Hour, 0, 2 * time.Hour},
		"idle 1h":                   {month, time.Hour, 2 * time.Hour},
		"idle 1h\nformat opaque":    {month, time.Hour, 2 * time.Hour},
		"ttl 5m":                    {5 * time.Minute, 0, 0},
		"ttl 5m\nformat jwt":        {5 * time.Minute, 0, 0},
		"ttl 24h\nidle 1h":          {24 * time.Hour, time.Hour, 0},
		"remember_expired 0s":       {time.Hour, 0, 2 * time.Hour},
		"format jwt\nhttp_errors":   {2 * time.Hour, 0, 2 * time.Hour},
		"idle 1h\nnumeric_dates":    {month, time.Hour, 2 * time.Hour},
		"ttl 1h\nstrip_credentials": {time.Hour, 0, 0},
	} {
		s := sessions(t, options)
		if got := [3]time.Duration{s.TTL, s.Idle, s.KeyTTL}; got != want {
			t.Errorf("%q: got %v, want %v", options, got, want)
		}
	}
}

func TestAnOpaqueTokenIs32UpperHex(t *testing.T) {
	form := sessions(t, "").Form
	got := form([16]byte{0x4a, 0xd9, 0xc8, 0x4f, 0xa6, 0x0f, 0x9f, 0xe4, 0x07, 0x14, 0x0e, 0x20, 0xf7, 0x07, 0x72, 0x6a})
	if _, ok := token.ParseUpperHex(got); !ok || got != "4AD9C84FA60F9FE407140E20F707726A" {
		t.Errorf("got %q", got)
	}
}

func TestClaimsSayWhatThereIs(t *testing.T) {
	claims := sessions(t, "format jwt").Claims
	for _, c := range []struct {
		name string
		of   session.Bearer
		want map[string]any
	}{
		{"a user in a unit", session.Bearer{Username: "jdoe", Tenant: "Acme Ltd", Unit: "Sales"}, map[string]any{"usr": "jdoe", "org": "Acme Ltd", "oun": "Sales"}},
		{"a user in no unit", session.Bearer{Username: "jdoe", Tenant: "Acme Ltd"}, map[string]any{"usr": "jdoe", "org": "Acme Ltd"}},
		{"a key with scopes", session.Bearer{Username: "key:7", Tenant: "Acme Ltd", KeyID: 7, Scopes: auth.Scope{"a"}}, map[string]any{"usr": "key:7", "org": "Acme Ltd"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := claims(c.of); !maps.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
	if !sessions(t, "format jwt").TextDates || sessions(t, "format jwt\nnumeric_dates").TextDates {
		t.Error("the dates are text unless numeric_dates is set")
	}
}

func TestOptions(t *testing.T) {
	for line, ok := range map[string]bool{
		"http_errors": true, "http_errors yes": false,
		"numeric_dates": true, "numeric_dates on": false,
		"strip_credentials": true, "strip_credentials body": false,
		"remember_expired 10m": true, "remember_expired 0s": true, "remember_expired 24h": true,
		"remember_expired": false, "remember_expired 10": false, "remember_expired soon": false,
		"remember_expired -1s": false, "remember_expired 25h": false, "remember_expired 1m 2m": false,
	} {
		t.Run(line, func(t *testing.T) {
			words := strings.Fields(line)
			if err := dialecttest.OptionNamed(t, crmtoken.Kind(), words[0]).Check(words[1:]); (err == nil) != ok {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := len(crmtoken.Kind().Options); n != 4 {
		t.Errorf("%d options, of which 4 are tested", n)
	}
}

func TestRememberExpired(t *testing.T) {
	for options, want := range map[string]time.Duration{
		"": 10 * time.Minute, "remember_expired 90s": 90 * time.Second, "remember_expired 0s": 0,
	} {
		if got := sessions(t, options).Remember; got != want {
			t.Errorf("%q: got %v, want %v", options, got, want)
		}
	}
}

func TestNewRefusesWhatContradictsItself(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  dialect.Config
		want string
	}{
		"no base path":                 {dialect.Config{}, "root"},
		"the root":                     {dialect.Config{Base: "/"}, "root"},
		"idle and JWT":                 {dialect.Config{Base: "/a", Format: "jwt", Idle: time.Hour}, "idle"},
		"dates of what is no JWT":      {dialect.Config{Base: "/a", Options: map[string][]string{"numeric_dates": {}}}, "format jwt"},
		"dates of what is said no JWT": {dialect.Config{Base: "/a", Format: "opaque", Options: map[string][]string{"numeric_dates": {}}}, "format jwt"},
		"an origin that is no origin":  {dialect.Config{Base: "/a", CORS: []string{"null"}}, "cors"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := crmtoken.New(c.cfg, nil)
			if d != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v", d, err)
			}
		})
	}
}

func TestRoutesTakeWhatIsBelowTheBasePath(t *testing.T) {
	d, err := crmtoken.New(dialect.Config{Base: "/crmapi/rest/v2/authentication"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	routes := d.Routes()
	if len(routes) != 1 || !routes[0].Covers("/crmapi/rest/v2/authentication/token/release") ||
		routes[0].Covers("/crmapi/rest/v2/authentications") || routes[0].Covers("/crmapi/rest/v2/contacts") {
		t.Errorf("got %+v", routes)
	}
}
