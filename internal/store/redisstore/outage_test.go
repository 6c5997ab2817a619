package redisstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// outage is a way in which a server fails.
type outage struct {
	name       string
	begin, end func(*testing.T, *testserver.RedisServer)
	// reads says that look-ups go on.
	reads bool
	// revokes says that revocations go on.
	revokes bool
}

var outages = []outage{
	{
		name:  "stopped",
		begin: func(_ *testing.T, r *testserver.RedisServer) { r.Stop() },
		end:   func(_ *testing.T, r *testserver.RedisServer) { r.Start() },
	},
	{
		name:  "killed",
		begin: func(_ *testing.T, r *testserver.RedisServer) { r.Kill() },
		end:   func(_ *testing.T, r *testserver.RedisServer) { r.Start() },
	},
	{
		name:  "paused",
		begin: func(_ *testing.T, r *testserver.RedisServer) { r.Pause() },
		end:   func(_ *testing.T, r *testserver.RedisServer) { r.Resume() },
	},
	{
		name:  "out of memory",
		begin: func(_ *testing.T, r *testserver.RedisServer) { r.Must("CONFIG", "SET", "maxmemory", "1") },
		end:   func(_ *testing.T, r *testserver.RedisServer) { r.Must("CONFIG", "SET", "maxmemory", "0") },
		reads: true, revokes: true,
	},
	{
		name:  "a replica of a master that is gone",
		begin: func(_ *testing.T, r *testserver.RedisServer) { r.Must("REPLICAOF", "127.0.0.1", "1") },
		end:   func(_ *testing.T, r *testserver.RedisServer) { r.Must("REPLICAOF", "NO", "ONE") },
		reads: true,
	},
	{name: "unable to write its disk", begin: spoilDisk, end: mendDisk, reads: true},
}

// spoilDisk puts a folder where the server renames its snapshot to.
func spoilDisk(t *testing.T, r *testserver.RedisServer) {
	t.Helper()
	must(t, os.RemoveAll(filepath.Join(r.Folder, "dump.rdb")))
	must(t, os.MkdirAll(filepath.Join(r.Folder, "dump.rdb", "full"), 0o700))
	r.Must("CONFIG", "SET", "save", "3600 1")
	saved(t, r, "err")
}

func mendDisk(t *testing.T, r *testserver.RedisServer) {
	t.Helper()
	must(t, os.RemoveAll(filepath.Join(r.Folder, "dump.rdb")))
	saved(t, r, "ok")
	r.Must("CONFIG", "SET", "save", "")
}

// saved has the server write a snapshot until that ends as expected.
func saved(t *testing.T, r *testserver.RedisServer, expected string) {
	t.Helper()
	until(t, "a snapshot", func() error {
		_, _ = r.Do("BGSAVE") // one may be under way
		text := r.Must("INFO", "persistence").(string)
		if !strings.Contains(text, "rdb_last_bgsave_status:"+expected+"\r\n") {
			return errors.New("the last snapshot did not end as expected")
		}
		return nil
	})
}

// calls are what an outage must not hold up.
func writes(s *Sessions, r store.Session) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"insert":   func(ctx context.Context) error { return s.InsertSession(ctx, example("new")) },
		"exchange": func(ctx context.Context) error { return s.ExchangeSession(ctx, r) },
		"touch":    func(ctx context.Context) error { return s.TouchSession(ctx, realm, r.ID, r.Expires) },
	}
}

func reads(s *Sessions, r store.Session) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"session": func(ctx context.Context) error {
			_, err := s.Session(ctx, realm, store.SessionRef{Digest: r.Digest})
			return err
		},
		"session by id": func(ctx context.Context) error {
			_, err := s.Session(ctx, realm, store.SessionRef{ID: r.ID})
			return err
		},
		"find": func(ctx context.Context) error {
			_, _, err := s.FindSessions(ctx, realm, store.SessionQuery{})
			return err
		},
		"latest": func(ctx context.Context) error {
			_, err := s.Latest(ctx)
			return err
		},
		"wait": func(ctx context.Context) error { return s.Wait(ctx, 1<<40) },
	}
}

func TestOutages(t *testing.T) {
	server := testserver.Redis(t, "appendfsync always")
	s := openOn(t, server)
	for _, o := range outages {
		t.Run("a server that is "+o.name, func(t *testing.T) {
			r := issue(t, s, o.name)
			o.begin(t, server)
			s.duringOutage(t, o, r)
			o.end(t, server)
			until(t, "the store works again", func() error {
				_, err := s.Session(t.Context(), realm, store.SessionRef{ID: r.ID})
				return errors.Join(err, s.InsertSession(t.Context(), example("after")))
			})
			must(t, s.Wait(t.Context(), 1<<40))
		})
	}
}

// duringOutage fails the test unless every call ends in time and as the outage
// allows, from many callers at once.
func (s *Sessions) duringOutage(t *testing.T, o outage, r store.Session) {
	t.Helper()
	expect := func(name string, works bool, do func(context.Context) error) {
		err := timed(t, name, do)
		if works && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !works && (err == nil || auth.CodeOf(err) != auth.Unavailable) {
			t.Errorf("%s: got %v, want unavailable", name, err)
		}
	}
	var wg sync.WaitGroup
	for range 100 {
		for name, do := range writes(s, r) {
			wg.Go(func() { expect(name, false, do) })
		}
		for name, do := range reads(s, r) {
			wg.Go(func() { expect(name, o.reads, do) })
		}
	}
	wg.Wait()
	expect("revoke", o.revokes, func(ctx context.Context) error {
		_, err := s.RevokeSessions(ctx, realm, store.SessionMatch{Subject: "nobody"})
		return err
	})
}

func TestNothingGrowsOverOutages(t *testing.T) {
	server := testserver.Redis(t)
	s := openOn(t, server)
	r := issue(t, s, "ann")
	use := func() {
		var wg sync.WaitGroup
		for range 32 {
			wg.Go(func() {
				_, _ = s.Session(t.Context(), realm, store.SessionRef{Digest: r.Digest}) // some fail
				_, _ = s.Latest(t.Context())
			})
		}
		wg.Wait()
	}
	connections := func() int {
		return strings.Count(server.Must("CLIENT", "LIST").(string), "name=gatehouse")
	}
	use()
	before, connected := goroutines(), connections()
	for i := range 10 {
		if i%2 == 0 {
			server.Kill()
			use()
			server.Start()
		} else {
			server.Pause()
			use()
			server.Resume()
		}
		until(t, "the store works again", func() error {
			_, err := s.Session(t.Context(), realm, store.SessionRef{ID: r.ID})
			return err
		})
	}
	use()
	until(t, "what the outages began ends", func() error {
		if n := goroutines(); n > before+8 {
			return fmt.Errorf("%d goroutines, and %d before", n, before)
		}
		if n := connections(); n > connected+2 {
			return fmt.Errorf("%d connections, and %d before", n, connected)
		}
		return nil
	})
}
