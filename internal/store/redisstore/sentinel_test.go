package redisstore

import (
	"context"
	"fmt"
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
