package timedlogin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/timedlogin"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestKind(t *testing.T) {
	k := timedlogin.Kind()
	if k.Name != "timed_login" || k.Base != "/login" || k.TTL != 20*time.Second {
		t.Errorf("got %q at %q for %v", k.Name, k.Base, k.TTL)
	}
	if len(k.Yields) != 0 {
		t.Error("a bad token is never made good by another credential")
	}
	for _, option := range []string{"format", "idle"} {
		if k.Refused[option] == "" {
			t.Errorf("the option %s is not refused with a reason", option)
		}
	}
	if k.Refused["ttl"] != "" {
		t.Error("the option ttl is refused")
	}
}

func TestItsTokenIsAGUIDInTheQuery(t *testing.T) {
	k := timedlogin.Kind()
	const canonical = "a45a039c-eb31-46f1-9ece-88aa5ccfe22c"
	form := sessions(dialect.Config{}).Form
	token := form([16]byte{0xa4, 0x5a, 0x03, 0x9c, 0xeb, 0x31, 0x46, 0xf1, 0x9e, 0xce, 0x88, 0xaa, 0x5c, 0xcf, 0xe2, 0x2c})
	if token != canonical {
		t.Errorf("got %q", token)
	}
	if all := form([16]byte{}); strings.Trim(all, "0-") != "" {
		t.Errorf("version bits in %q", all)
	}
	specs := k.Credentials(dialect.Config{})
	if len(specs) != 1 || specs[0].Kind != auth.Query || specs[0].Name != "Token" || !specs[0].FoldName {
		t.Fatalf("got %+v", specs)
	}
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"lower case with hyphens": {canonical, true},
		"upper case":              {strings.ToUpper(canonical), true},
		"mixed case":              {"A45a039c-eB31-46f1-9ece-88aa5ccfe22C", true},
		"without hyphens":         {strings.ReplaceAll(canonical, "-", ""), false},
		"in braces":               {"{" + canonical + "}", false},
		"in parentheses":          {"(" + canonical + ")", false},
		"with a space":            {canonical + " ", false},
		"with another letter":     {"g" + canonical[1:], false},
		"with a full-width digit": {"４5a039c-eb31-46f1-9ece-88aa5ccfe22c", false},
		"hyphens elsewhere":       {"a45a039ce-b31-46f1-9ece-88aa5ccfe22c", false},
		"empty":                   {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := specs[0].Form(c.text)
			if ok != c.ok || ok && got != canonical {
				t.Errorf("got %q, %v", got, ok)
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		line string
		ok   bool
	}{
		{"distinct_key_error", true},
		{"distinct_key_error yes", false},
		{"strict_media_types", true},
		{"strict_media_types on", false},
		{"remember_expired 10m", true},
		{"remember_expired 0s", true},
		{"remember_expired 24h", true},
		{"remember_expired", false},
		{"remember_expired 10", false},
		{"remember_expired soon", false},
		{"remember_expired -1s", false},
		{"remember_expired 25h", false},
		{"remember_expired 1m 2m", false},
	} {
		t.Run(c.line, func(t *testing.T) {
			words := strings.Fields(c.line)
			if err := dialecttest.OptionNamed(t, timedlogin.Kind(), words[0]).Check(words[1:]); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
	if n := len(timedlogin.Kind().Options); n != 3 {
		t.Errorf("%d options, of which 3 are tested", n)
	}
}

// sessions returns what the dialect's sessions are like.
func sessions(cfg dialect.Config) (s session.Config) {
	timedlogin.Kind().Session(cfg, &s)
	return s
}

func TestRememberExpired(t *testing.T) {
	for options, want := range map[string]time.Duration{
		"":                       10 * time.Minute,
		"remember_expired 90s":   90 * time.Second,
		"remember_expired 0s":    0,
		"remember_expired 1h30m": 90 * time.Minute,
	} {
		if got := sessions(configure(t, options)).Remember; got != want {
			t.Errorf("%q: got %v, want %v", options, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  dialect.Config
		want string
	}{
		"no base path":                {dialect.Config{}, "root"},
		"the root":                    {dialect.Config{Base: "/"}, "root"},
		"a life below a second":       {dialect.Config{Base: "/login", TTL: 500 * time.Millisecond}, "ttl"},
		"a negative life":             {dialect.Config{Base: "/login", TTL: -time.Second}, "ttl"},
		"a life with half a second":   {dialect.Config{Base: "/login", TTL: 1500 * time.Millisecond}, "ttl"},
		"a life past 32 bits":         {dialect.Config{Base: "/login", TTL: (1 << 31) * time.Second}, "ttl"},
		"an origin that is no origin": {dialect.Config{Base: "/login", CORS: []string{"null"}}, "cors"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := timedlogin.New(c.cfg, nil)
			if d != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v", d, err)
			}
		})
	}
}

func TestNewAcceptsLives(t *testing.T) {
	for _, ttl := range []time.Duration{0, time.Second, 20 * time.Second, (1<<31 - 1) * time.Second} {
		if _, err := timedlogin.New(dialect.Config{Base: "/login", TTL: ttl}, nil); err != nil {
			t.Errorf("%v: %v", ttl, err)
		}
	}
}

func TestRoutesTakeTheBasePathInAnyCase(t *testing.T) {
	d, err := timedlogin.New(dialect.Config{Base: "/api/login"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	routes := d.Routes()
	if len(routes) != 1 || !routes[0].Covers("/API/Login/advauth") || routes[0].Covers("/api/logins") {
		t.Errorf("got %+v", routes)
	}
}
