package oauth2_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/oauth2"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestKind(t *testing.T) {
	k := oauth2.Kind()
	if k.Name != "oauth2" || k.Base != "/oauth2" || k.TTL != time.Hour {
		t.Errorf("got %q at %q for %v", k.Name, k.Base, k.TTL)
	}
	specs := k.Credentials(dialect.Config{})
	if len(specs) != 1 || specs[0].Kind != auth.Bearer || specs[0].Check() != nil {
		t.Errorf("its tokens come as %+v", specs)
	}
	if k.Refused["idle"] == "" || k.Refused["format"] != "" || k.Refused["ttl"] != "" {
		t.Errorf("refused are %v", k.Refused)
	}
	if moved := k.Moved(dialect.Config{Base: "/auth"}); moved["/.well-known/oauth-authorization-server/oauth2"] != "/.well-known/oauth-authorization-server/auth" {
		t.Errorf("moved are %v", moved)
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{"refresh_ttl 720h", true},
		{"refresh_ttl 1s", true},
		{"refresh_ttl 8760h", true},
		{"refresh_ttl 8761h", false},
		{"refresh_ttl 999ms", false},
		{"refresh_ttl 0s", false},
		{"refresh_ttl -1h", false},
		{"refresh_ttl 30", false},
		{"refresh_ttl 30x", false},
		{"refresh_ttl", false},
		{"refresh_ttl 1h 2h", false},
		{"overlap 0s", true},
		{"overlap 1m", true},
		{"overlap 61s", false},
		{"overlap -1s", false},
		{"overlap", false},
		{"no_refresh", true},
		{"no_refresh yes", false},
		{"issuer https://id.example.com", true},
		{"issuer https://id.example.com:8443/tenants/acme", true},
		{"issuer http://id.example.com", false},
		{"issuer id.example.com", false},
		{"issuer https://", false},
		{"issuer https:///x", false},
		{"issuer https://id.example.com/", false},
		{"issuer https://id.example.com/a/", false},
		{"issuer https://id.example.com?x", false},
		{"issuer https://id.example.com#x", false},
		{"issuer https://ann@id.example.com", false},
		{"issuer https://id.example.com/%61", false},
		{"issuer https://id.example.com/ä", false},
		{"issuer https:id.example.com", false},
		{"issuer", false},
		{"audience https://api.example.com", true},
		{"audience orders", true},
		{`audience ""`, false},
		{"audience " + strings.Repeat("x", 257), false},
		{"audience a b", false},
		{"algorithm EdDSA", true},
		{"algorithm ES256", true},
		{"algorithm RS256", true},
		{"algorithm HS256", false},
		{"algorithm none", false},
		{"algorithm eddsa", false},
		{"algorithm", false},
	} {
		t.Run(c.line, func(t *testing.T) {
			words := dialecttest.Lines(t, c.line)[0]
			if err := dialecttest.OptionNamed(t, oauth2.Kind(), words[0]).Check(words[1:]); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := len(oauth2.Kind().Options); n != 6 {
		t.Errorf("%d options, of which 6 are tested", n)
	}
}

// sessions returns what the dialect's sessions are like.
func sessions(t *testing.T, options string) (s session.Config) {
	t.Helper()
	oauth2.Kind().Session(configure(t, options), &s)
	return s
}

func TestWhatItsSessionsAreLike(t *testing.T) {
	if s := sessions(t, ""); s.RefreshTTL != 30*24*time.Hour || s.Overlap != 0 || s.Idle != 0 || s.Remember != 0 ||
		s.Access == nil || s.Access.Algorithm != "" || s.Access.Issuer != "" {
		t.Errorf("by default they are %+v", s)
	}
	if s := sessions(t, "refresh_ttl 48h\noverlap 10s"); s.RefreshTTL != 48*time.Hour || s.Overlap != 10*time.Second {
		t.Errorf("they are %+v", s)
	}
	if s := sessions(t, "no_refresh"); s.RefreshTTL != 0 {
		t.Errorf("they are refreshed for %v", s.RefreshTTL)
	}
	s := sessions(t, "format jwt\nissuer https://id.example.com\naudience orders\nalgorithm ES256")
	if a := s.Access; a.Issuer != "https://id.example.com" || a.Audience != "orders" || a.Algorithm != "ES256" {
		t.Errorf("their JWTs are %+v", a)
	}
	claims := s.Claims(session.Bearer{Username: "ann", KeyID: 7, Scopes: auth.Scope{"orders", "stock"}})
	if len(claims) != 2 || claims["client_id"] != "7" || claims["scope"] != "orders stock" {
		t.Errorf("their JWTs say %v", claims)
	}
	if claims := s.Claims(session.Bearer{KeyID: 7}); len(claims) != 1 {
		t.Errorf("without scopes they say %v", claims)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct{ options, want string }{
		"no base path":                              {`base ""`, "root"},
		"the root":                                  {"base /", "root"},
		"a life below a second":                     {"ttl 999ms", "ttl"},
		"a negative life":                           {"ttl -1h", "ttl"},
		"a family that is shorter than a token":     {"refresh_ttl 59m", "refresh_ttl"},
		"a token that is longer than a family":      {"ttl 721h", "refresh_ttl"},
		"an overlap of tokens that there are not":   {"no_refresh\noverlap 10s", "overlap"},
		"a life of tokens that there are not":       {"no_refresh\nrefresh_ttl 48h", "refresh_ttl"},
		"an audience of tokens that are opaque":     {"audience orders", "format jwt"},
		"an algorithm of tokens that are opaque":    {"algorithm ES256\nformat opaque", "format jwt"},
		"an algorithm of opaque tokens, no refresh": {"algorithm ES256\nno_refresh", "format jwt"},
		"an origin that is no origin":               {"cors null", "cors"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := oauth2.New(configure(t, c.options), nil)
			if d != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v", d, err)
			}
		})
	}
}

func TestNewAccepts(t *testing.T) {
	for _, options := range []string{
		"", "ttl 1s", "refresh_ttl 1h", "ttl 720h", "no_refresh\nttl 8760h", "format jwt\naudience a\nalgorithm RS256", "issuer https://a.example", "overlap 1m",
	} {
		if _, err := oauth2.New(configure(t, options), nil); err != nil {
			t.Errorf("%q: %v", options, err)
		}
	}
}

func TestRoutes(t *testing.T) {
	for options, want := range map[string][]dialect.Route{
		"": {{Path: "/oauth2"}, {Path: "/.well-known/oauth-authorization-server/oauth2", Exact: true}},
		"base /a/b\nissuer https://id.example.com/a/b": {{Path: "/a/b"}, {Path: "/.well-known/oauth-authorization-server/a/b", Exact: true}},
		"issuer https://id.example.com": {
			{Path: "/oauth2"}, {Path: "/.well-known/oauth-authorization-server/oauth2", Exact: true}, {Path: "/.well-known/oauth-authorization-server", Exact: true},
		},
	} {
		d, err := oauth2.New(configure(t, options), nil)
		must(t, err)
		if got := d.Routes(); !slices.Equal(got, want) {
			t.Errorf("%q: got %+v", options, got)
		}
	}
}
