package caddymodule

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store/redisstore"
)

// TestTheKeyOfAStorageTellsItFromEveryOther has each member change it: what is
// changed in a configuration would otherwise wait for the next start.
func TestTheKeyOfAStorageTellsItFromEveryOther(t *testing.T) {
	const password = "planted-password"
	url := auth.NewSecret("postgres://ann:" + password + "@db/gatehouse")
	seen := map[string]string{}
	for name, s := range map[string]storage{
		"a file":              {engine: engineSQLite, path: "/a.db"},
		"another file":        {engine: engineSQLite, path: "/b.db"},
		"a database":          {engine: enginePostgres, url: url},
		"another database":    {engine: enginePostgres, url: auth.NewSecret("postgres://db/other")},
		"more connections":    {engine: enginePostgres, url: url, maxConnections: 32},
		"sessions apart":      {engine: enginePostgres, url: url, sessions: redisstore.Options{URL: url}},
		"sessions on replica": {engine: enginePostgres, url: url, sessions: redisstore.Options{URL: url, Replicas: 1}},
		"a longer wait":       {engine: enginePostgres, url: url, sessions: redisstore.Options{URL: url, Replicas: 1, ReplicaWait: time.Second}},
		"a file and sessions": {engine: engineSQLite, path: "/a.db", sessions: redisstore.Options{URL: url}},
	} {
		key, err := s.key()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(key, password) {
			t.Errorf("the key of %s holds a password", name)
		}
		if other, ok := seen[key]; ok {
			t.Errorf("%s has the key of %s", name, other)
		}
		seen[key] = name
	}
}

// TestAURLWhereAFileIsNamedIsRefusedWithoutItsPassword holds for what a
// placeholder stands for, too: it would be made a folder of that name.
func TestAURLWhereAFileIsNamedIsRefusedWithoutItsPassword(t *testing.T) {
	t.Setenv("GATEHOUSE_TEST_STORE", "postgres://ann:planted-password@db/gatehouse")
	a := &App{Store: &Store{Engine: engineSQLite, Path: "{env.GATEHOUSE_TEST_STORE}"}}
	_, err := a.resolved()
	if err == nil || strings.Contains(err.Error(), "planted") {
		t.Errorf("got %v", err)
	}
}
