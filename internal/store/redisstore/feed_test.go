package redisstore

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

func record(t *testing.T, s *Sessions, n int) {
	t.Helper()
	for range n {
		must(t, s.Record(t.Context(), store.Change{Realm: realm, Kind: store.SubjectChanged, ID: "ann"}))
	}
}

// kinds returns what the feed shows after a sequence.
func kinds(t *testing.T, s *Sessions, after int64) map[store.ChangeKind]int {
	t.Helper()
	changes, err := s.Since(t.Context(), after, 0)
	must(t, err)
	seen := map[store.ChangeKind]int{}
	for _, c := range changes {
		if c.Seq <= after {
			t.Fatalf("sequence %d after %d", c.Seq, after)
		}
		seen[c.Kind]++
	}
	return seen
}

// Without a file the server forgets everything when it is killed.
func TestLostWritesWithdrawEverything(t *testing.T) {
	for _, c := range []struct {
		name string
		// since is how many changes others made before this node looks again.
		since int
	}{
		{"before anything else was written", 0},
		{"when fewer changes were made since", 2},
		{"when as many changes were made since", 3},
		{"when more changes were made since", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := testserver.Redis(t, "appendonly no")
			s := openPatient(t, server)
			record(t, s, 3)
			after, err := s.Latest(t.Context())
			must(t, err)
			server.Kill()
			server.Start()
			record(t, openPatient(t, server), c.since)
			// Each connection learns for itself that the server was away: all of
			// them are asked here.
			until(t, "the store works again", func() error {
				for range 100 {
					if _, err := s.Latest(t.Context()); err != nil {
						return err
					}
				}
				return nil
			})
			if seen := kinds(t, s, after); seen[store.AllChanged] != 1 {
				t.Fatalf("the feed shows %v, want that all changed once", seen)
			}
			after, err = s.Latest(t.Context())
			must(t, err)
			record(t, s, 1)
			if seen := kinds(t, s, after); seen[store.AllChanged] != 0 || seen[store.SubjectChanged] != 1 {
				t.Fatalf("afterwards the feed shows %v", seen)
			}
		})
	}
}

func TestARestartWithoutLossWithdrawsNothing(t *testing.T) {
	server := testserver.Redis(t, "appendfsync always")
	s := openPatient(t, server)
	record(t, s, 3)
	after, err := s.Latest(t.Context())
	must(t, err)
	server.Kill()
	server.Start()
	other := openPatient(t, server)
	record(t, other, 2)
	until(t, "the store works again", func() error {
		_, err := s.Latest(t.Context())
		return err
	})
	if seen := kinds(t, s, after); seen[store.AllChanged] != 0 || seen[store.SubjectChanged] != 2 {
		t.Fatalf("the feed shows %v, want two changes of a subject", seen)
	}
}

func TestAGapInTheLogWithdrawsEverything(t *testing.T) {
	server := testserver.Redis(t)
	s, other := openPatient(t, server), openPatient(t, server)
	record(t, s, 1)
	after, err := s.Latest(t.Context())
	must(t, err)
	record(t, other, 5)
	server.Must("XTRIM", "{gatehouse}:log", "MAXLEN", "=", "2")
	if seen := kinds(t, s, after); seen[store.AllChanged] != 1 {
		t.Fatalf("the feed shows %v, want that all changed", seen)
	}
}

func TestWhoSpeaksOnTheChannelHasNodesLookAndNothingElse(t *testing.T) {
	server := testserver.Redis(t)
	s := openPatient(t, server)
	record(t, s, 1)
	after, err := s.Latest(t.Context())
	must(t, err)
	for _, message := range []string{"", "999999", "all", "{}"} {
		server.Must("PUBLISH", "{gatehouse}:news", message)
	}
	if seen := kinds(t, s, after); len(seen) != 0 {
		t.Fatalf("the feed shows %v", seen)
	}
}

// A node that only looked at its heartbeat would take half a second for half of
// these.
func TestNewsComesAtOnce(t *testing.T) {
	server := testserver.Redis(t)
	s, other := openPatient(t, server), openPatient(t, server)
	until(t, "the nodes listen", func() error {
		if server.Must("PUBLISH", "{gatehouse}:news", "").(int64) != 2 {
			return context.DeadlineExceeded
		}
		return nil
	})
	const rounds = 40
	start := time.Now()
	for range rounds {
		after, err := s.Latest(t.Context())
		must(t, err)
		came := make(chan error, 1)
		go func() {
			for {
				if err := s.Wait(t.Context(), after); err != nil {
					came <- err
					return
				}
				if seq, err := s.Latest(t.Context()); err != nil || seq > after {
					came <- err
					return
				}
			}
		}()
		record(t, other, 1)
		must(t, <-came)
	}
	if took := time.Since(start); took > rounds*heartbeat/2 {
		t.Fatalf("%d changes took %v", rounds, took)
	}
}

func TestAFeedOutOfReachIsAnError(t *testing.T) {
	server := testserver.Redis(t)
	s := openOn(t, server)
	record(t, s, 1)
	after, err := s.Latest(t.Context())
	must(t, err)
	server.Pause()
	refused(t, timed(t, "since", func(ctx context.Context) error {
		_, err := s.Since(ctx, after, 0)
		return err
	}), auth.Unavailable)
	refused(t, timed(t, "wait", func(ctx context.Context) error { return s.Wait(ctx, after) }), auth.Unavailable)
	server.Resume()
	until(t, "the feed works again", func() error { return s.Wait(t.Context(), after) })
}
