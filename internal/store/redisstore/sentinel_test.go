package redisstore

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

func TestFollowsTheMasterThatSentinelsName(t *testing.T) {
	master := testserver.Redis(t)
	replica := testserver.Redis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", master.Port))
	sentinel := testserver.RedisSentinel(t, master)
	s := openURL(t, Options{URL: auth.NewSecret(testserver.SentinelURL(sentinel)), Replicas: 1})
	var r store.Session
	until(t, "the replica follows", func() error {
		r = example("ann")
		return s.InsertSession(t.Context(), r)
	})
	after, err := s.Latest(t.Context())
	must(t, err)
	master.Kill()
	s.o.Replicas = 0 // there is none left
	until(t, "the replica is the master", func() error {
		return timed(t, "insert", func(ctx context.Context) error { return s.InsertSession(ctx, example("bo")) })
	})
	if !has(t, s, r) {
		t.Fatal("a session that the replica had confirmed is gone")
	}
	if seen := kinds(t, s, after); seen[store.AllChanged] != 0 {
		t.Fatalf("nothing was lost, and the feed shows %v", seen)
	}
	if replica.Must("ROLE").([]any)[0] != "master" {
		t.Fatal("the writes went elsewhere")
	}
}

// What docs/stores.md allows, and no more, is enough to find the master and to
// follow the next one.
func TestTheDocumentedPermissionsAreEnoughWithSentinels(t *testing.T) {
	allow := func(s *testserver.RedisServer, rules string) {
		s.Must(append([]string{"ACL", "SETUSER", "gatehouse", "on", ">s3cret"}, strings.Fields(rules)...)...)
	}
	master := testserver.Redis(t)
	replica := testserver.Redis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", master.Port))
	rules := documentedRules(t) + " +role"
	allow(master, rules)
	allow(replica, rules)
	sentinel := testserver.RedisSentinel(t, master)
	allow(sentinel, documented(t, "ACL SETUSER gatehouse on >sentinel-password "))
	url := strings.Replace(testserver.SentinelURL(sentinel), "redis://", "redis://gatehouse:s3cret@", 1) +
		"&sentinel_username=gatehouse&sentinel_password=s3cret"
	s := openURL(t, Options{URL: auth.NewSecret(url)})
	must(t, s.InsertSession(t.Context(), example("ann")))
	master.Kill()
	until(t, "the replica is the master", func() error { return s.InsertSession(t.Context(), example("bo")) })
	for _, server := range []*testserver.RedisServer{replica, sentinel} {
		for _, entry := range server.Must("ACL", "LOG").([]any) {
			// CONFIG is tried, and may be refused.
			if text := fmt.Sprint(entry); !strings.Contains(text, "object config|get ") {
				t.Errorf("refused: %v", text)
			}
		}
	}
}
