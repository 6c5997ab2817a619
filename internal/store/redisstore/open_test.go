package redisstore

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

func TestOpensOverEveryKindOfConnection(t *testing.T) {
	t.Run("a password", func(t *testing.T) {
		s := openPatient(t, testserver.Redis(t, "requirepass s3cret"))
		issue(t, s, "ann")
	})
	t.Run("TLS", func(t *testing.T) {
		server := testserver.RedisTLS(t, "requirepass s3cret")
		issue(t, openPatient(t, server), "ann")
		if _, err := Open(t.Context(), Options{URL: auth.NewSecret(server.URL())}); err == nil {
			t.Fatal("a certificate of nobody known was taken")
		}
	})
	t.Run("a Unix socket", func(t *testing.T) {
		server := testserver.Redis(t)
		issue(t, openURL(t, Options{URL: auth.NewSecret("unix://" + server.Socket + "?db=1")}), "ann")
	})
	t.Run("a prefix of its own is a store of its own", func(t *testing.T) {
		server := testserver.Redis(t)
		r := issue(t, openPatient(t, server), "ann")
		if has(t, openURL(t, Options{URL: auth.NewSecret(server.URL()), Prefix: "other"}), r) {
			t.Fatal("two prefixes share sessions")
		}
	})
}

// The commands that docs/stores.md allows are enough for everything.
func TestTheDocumentedPermissionsAreEnough(t *testing.T) {
	server := testserver.Redis(t)
	rules := strings.Fields(documentedRules(t))
	server.Must(append([]string{"ACL", "SETUSER", "gatehouse", "on", ">s3cret"}, rules...)...)
	url := strings.Replace(server.URL(), "redis://", "redis://gatehouse:s3cret@", 1)
	s := openURL(t, Options{URL: auth.NewSecret(url)})
	if len(s.Notices()) != 1 || !strings.Contains(s.Notices()[0], "maxmemory-policy") {
		t.Fatalf("got notices %q, want one on maxmemory-policy, which may not be read", s.Notices())
	}
	contractOf(t, s)
	if text := server.Must("ACL", "LOG").([]any); len(text) > 3 { // CONFIG and CLUSTER are tried, and may be refused
		t.Fatalf("refused: %v", text)
	}
}

func TestTheDocumentedPermissionsAreEnoughInACluster(t *testing.T) {
	nodes := testserver.RedisClusterTLS(t)
	for _, node := range nodes {
		rules := documentedRules(t) + " +cluster|slots +cluster|shards"
		node.Must(append([]string{"ACL", "SETUSER", "gatehouse", "on", ">s3cret"}, strings.Fields(rules)...)...)
	}
	url := strings.Replace(testserver.ClusterURL(nodes), "rediss://", "rediss://gatehouse:s3cret@", 1)
	contractOf(t, openURL(t, Options{URL: auth.NewSecret(url), TLS: nodes[0].TLS()}))
	for _, node := range nodes {
		for _, entry := range node.Must("ACL", "LOG").([]any) {
			// CONFIG is tried, and may be refused.
			if text := fmt.Sprint(entry); !strings.Contains(text, "object config|get ") {
				t.Errorf("refused: %v", text)
			}
		}
	}
}

// A user who lacks one of them is refused when the store is opened, by its name.
func TestAUserWhoLacksAPermissionIsToldWhichOne(t *testing.T) {
	server := testserver.Redis(t)
	rules := strings.Fields(documentedRules(t))
	tried := 0
	for _, command := range scriptCommands(t) {
		lacking := slices.DeleteFunc(slices.Clone(rules), func(r string) bool { return r == "+"+strings.ToLower(command) })
		server.Must(append([]string{"ACL", "SETUSER", "gatehouse", "reset", "on", ">s3cret"}, lacking...)...)
		_, err := Open(t.Context(), Options{URL: auth.NewSecret(strings.Replace(server.URL(), "redis://", "redis://gatehouse:s3cret@", 1)), Timeout: ample})
		if err == nil || !strings.Contains(err.Error(), "refuses its user the command "+command) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("without %s: %v", command, err)
		}
		tried++
	}
	if tried < 15 {
		t.Errorf("the scripts have %d commands", tried)
	}
}

// scriptCommands are the commands that scripts run.
func scriptCommands(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("scripts/*.lua")
	must(t, err)
	var all []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, found := range regexp.MustCompile(`redis\.call\('([A-Z]+)'`).FindAllSubmatch(text, -1) {
			all = append(all, string(found[1]))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestRefusesToOpen(t *testing.T) {
	server := testserver.Redis(t, "requirepass s3cret")
	at := server.Address
	for _, c := range []struct{ name, url, says string }{
		{"the wrong password", "redis://default:planted@" + at, "WRONGPASS"},
		{"no password", "redis://" + at, "NOAUTH"},
		{"no server", "redis://default:planted@127.0.0.1:1", "refused"},
		{"another scheme", "postgres://default:planted@" + at, "redis://"},
		{"a path that is no number", "redis://default:planted@" + at + "/planted", "number"},
		{"an unknown parameter", "redis://default:planted@" + at + "?planted=1", "unknown parameter"},
		{"TLS that nobody verifies", "rediss://default:planted@" + at + "?skip_verify=true", "unknown parameter"},
		{"no URL", "", "redis://"},
		{"a URL that cannot be read", "redis://default:planted@%zz/", "cannot be read"},
		{"a password that is not encoded", "redis://:12#planted@" + at, "percent-encoded"},
		{"TLS where there is none", "rediss://default:planted@" + at, "does not answer as over TLS"},
		{"nodes of no cluster", "redis://default:s3cret@" + at + "?addr=127.0.0.1:1", "no cluster"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(t.Context(), Options{URL: auth.NewSecret(c.url)})
			if err == nil {
				must(t, s.Close())
				t.Fatal("it opened")
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want it to say %q", err, c.says)
			}
			if strings.Contains(err.Error(), "planted") {
				t.Errorf("the error %q tells of the URL", err)
			}
		})
	}
	t.Run("a server that evicts", func(t *testing.T) {
		server := testserver.Redis(t, "maxmemory-policy allkeys-lru")
		_, err := Open(t.Context(), Options{URL: auth.NewSecret(server.URL())})
		if err == nil || !strings.Contains(err.Error(), "noeviction") {
			t.Fatalf("got %v, want a sentence on noeviction", err)
		}
	})
	t.Run("a server that is too old", func(t *testing.T) {
		for version, old := range map[string]bool{"6.2.14": true, "": true, "x": true, "7.0.15": false, "10.1": false} {
			if err := newEnough(version); (err != nil) != old {
				t.Errorf("version %q: got %v", version, err)
			}
		}
	})
	t.Run("a prefix with a brace", func(t *testing.T) {
		if _, err := Open(t.Context(), Options{URL: auth.NewSecret(server.URL()), Prefix: "a}b"}); err == nil {
			t.Fatal("it opened")
		}
	})
}

func TestWaitsForAServerThatIsSlowAtTheStart(t *testing.T) {
	server := testserver.Redis(t)
	server.Pause()
	server.ResumeAfter(2 * dialTimeout)
	s := openURL(t, Options{URL: auth.NewSecret(server.URL())})
	must(t, s.InsertSession(t.Context(), example("ann")))
}
