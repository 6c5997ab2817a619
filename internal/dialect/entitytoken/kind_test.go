package entitytoken_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/entitytoken"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

var _ entitytoken.Service = (*session.Service)(nil)

func TestKind(t *testing.T) {
	k := entitytoken.Kind()
	if k.Name != "entity_token" || k.Base != "/entities" || k.TTL != 48*time.Hour {
		t.Errorf("Kind = %s at %s for %v", k.Name, k.Base, k.TTL)
	}
	specs := k.Credentials(dialect.Config{})
	if len(specs) != 1 || specs[0].Kind != auth.KeyUserToken || specs[0].Check() != nil {
		t.Errorf("credentials %v", specs)
	}
	for _, name := range []string{"idle", "format", "attempts"} {
		if k.Refused[name] == "" {
			t.Errorf("%s is not refused", name)
		}
	}
}

func TestOptionsReachTheSessions(t *testing.T) {
	for _, c := range []struct {
		name            string
		options         map[string][]string
		longest, beside time.Duration
	}{
		{"by default", nil, 365 * 24 * time.Hour, 0},
		{"as configured", map[string][]string{"max_ttl": {"30d"}, "overlap": {"90s"}}, 720 * time.Hour, 90 * time.Second},
		{"days and hours", map[string][]string{"max_ttl": {"2d12h"}, "overlap": {"0s"}}, 60 * time.Hour, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := session.Config{TTL: time.Hour}
			entitytoken.Kind().Session(dialect.Config{Options: c.options}, &s)
			if s.MaxTTL != c.longest || s.Overlap != c.beside || s.TTL != time.Hour || s.Remember != 0 || s.Idle != 0 || s.JWT {
				t.Errorf("got %+v", s)
			}
		})
	}
}

func TestOptionsRefuseWhatTheyCannotMean(t *testing.T) {
	bad := map[string][][]string{
		"max_ttl": {{}, {"1h", "2h"}, {"0s"}, {"-1h"}, {"999ms"}, {"soon"}, {""}, {"d"}, {"-1d"}, {"1.5d"}, {"3651d"}, {"65535d99999h"}, {"99999d"}, {"1d1d"}, {"1d-25h"}},
		"overlap": {{}, {"1s", "2s"}, {"-1s"}, {"61m"}, {"1d"}, {"soon"}},

		"forward_others": {{"yes"}},
	}
	good := map[string][]string{"max_ttl": {"1s", "3650d", "87600h", "1d12h30m"}, "overlap": {"0s", "1h", "90s", "0d30s"}}
	for _, o := range entitytoken.Kind().Options {
		if len(bad[o.Name]) == 0 || len(good[o.Name]) == 0 && o.Usage != "" || o.Usage == "" && o.Check(nil) != nil {
			t.Errorf("%s is not tried", o.Name)
		}
		for _, args := range bad[o.Name] {
			if o.Check(args) == nil {
				t.Errorf("%s %q passed", o.Name, args)
			}
		}
		for _, arg := range good[o.Name] {
			if err := o.Check([]string{arg}); err != nil {
				t.Errorf("%s %q: %v", o.Name, arg, err)
			}
		}
	}
}

func TestABlockThatCannotBeIsRefusedAtTheStart(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   dialect.Config
		words string
	}{
		"no base path":              {dialect.Config{}, "root of the site"},
		"the whole site":            {dialect.Config{Base: "/"}, "root of the site"},
		"an origin that is none":    {dialect.Config{Base: "/e", CORS: []string{"null"}}, "cors"},
		"a life beyond the longest": {dialect.Config{Base: "/e", TTL: 48 * time.Hour, Options: map[string][]string{"max_ttl": {"1d"}}}, "max_ttl"},
		"a life beyond the default": {dialect.Config{Base: "/e", TTL: 366 * 24 * time.Hour}, "max_ttl"},
	} {
		if _, err := entitytoken.New(c.cfg, nil); err == nil || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := entitytoken.New(dialect.Config{Base: "/e", TTL: 365 * 24 * time.Hour}, nil); err != nil {
		t.Error(err)
	}
}

func TestRoutes(t *testing.T) {
	d, err := entitytoken.New(dialect.Config{Base: "/api/entities"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	routes := d.Routes()
	if len(routes) != 1 || !routes[0].Covers("/API/Entities/a/users/b/authentication-token") || routes[0].Covers("/api/entitiesx") {
		t.Errorf("got %+v", routes)
	}
}

// TestWhereOthersAreForwardedNoSpellingOfACallIs: the dialect answers each.
func TestWhereOthersAreForwardedNoSpellingOfACallIs(t *testing.T) {
	d, err := entitytoken.New(dialect.Config{Base: "/api/entities", Options: map[string][]string{"forward_others": nil}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"/api/entities/a/users/b/authentication-token": true, "/api/entities/a/users/b/authentication-token/refresh": true,
		"/API/entities/a/Users/b/AUTHENTICATION-token": true, "/api/entities/a/users/b/authentication-token/": true,
		"/api/entities": false, "/api/entities/a": false, "/api/entities/a/users/b/gems": false, "/api/entities/a/authentication-token": false,
	} {
		if got := d.Routes()[0].Covers(path); got != want {
			t.Errorf("%s is answered here: %v", path, got)
		}
	}
}
