package caddymodule

import (
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// TestOptionsThatNoDialectHasYet holds shared options against a dialect that
// refuses none.
func TestOptionsThatNoDialectHasYet(t *testing.T) {
	kind := dialect.Kind{Name: "any", Base: "/any", TTL: time.Hour}
	for _, c := range []struct{ name, line, want string }{
		{"idle within the life of a token is taken", "idle 10m", ""},
		{"idle past the life of a token can never come to pass", "idle 2h", "idle 2h0m0s is longer than the life of a token, 1h0m0s"},
		{"idle past a configured life can never come to pass", "ttl 5m\nidle 10m", "idle 10m0s is longer than the life of a token, 5m0s"},
		{"idle of zero is refused", "idle 0s", "idle 0s must be more than 0, at Testfile:1"},
		{"idle without a duration is refused", "idle", "wrong number of arguments: it is idle <duration>"},
		{"an option that nobody knows is refused", "colour red", `unknown word "colour" in login any`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l Login
			err := parseLines(&l, kind, c.line)
			if err == nil {
				err = l.check(kind)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestALifeThatADialectGivesIdleTokensCounts: what idle is held against is the
// life that tokens then have.
func TestALifeThatADialectGivesIdleTokensCounts(t *testing.T) {
	kind := dialect.Kind{Name: "any", Base: "/any", TTL: time.Hour, Session: func(c dialect.Config, s *session.Config) {
		if c.TTL == 0 && s.Idle != 0 {
			s.TTL = 24 * time.Hour
		}
	}}
	for line, fine := range map[string]bool{"idle 2h": true, "idle 25h": false, "ttl 1h\nidle 2h": false} {
		var l Login
		if err := parseLines(&l, kind, line); err != nil {
			t.Fatal(err)
		}
		if err := l.check(kind); (err == nil) != fine {
			t.Errorf("%q: %v", line, err)
		}
	}
}

func parseLines(l *Login, k dialect.Kind, text string) error {
	d := caddyfile.NewTestDispenser(text)
	for d.Next() {
		if err := l.parseOption(d, k); err != nil {
			return err
		}
	}
	return nil
}

func TestAppCheck(t *testing.T) {
	for _, c := range []struct {
		name string
		app  *App
		fine bool
	}{
		{"nothing configured is fine", &App{}, true},
		{"the store that exists is fine", &App{Store: &Store{Engine: "sqlite"}}, true},
		{"a store without an engine is the default", &App{Store: &Store{Path: "/a"}}, true},
		{"another store is refused", &App{Store: &Store{Engine: "etcd"}}, false},
		{"a time below zero is refused", &App{MaxStaleness: caddy.Duration(-1)}, false},
		{"a feed cannot be heard every millisecond", &App{MaxStaleness: caddy.Duration(time.Millisecond)}, false},
		{"it can be every tenth of a second", &App{MaxStaleness: caddy.Duration(100 * time.Millisecond)}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.app.check(); (err == nil) != c.fine {
				t.Errorf("error %v", err)
			}
		})
	}
}
