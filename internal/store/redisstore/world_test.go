package redisstore

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

const realm = "default"

// patience is the longest that a call may take whatever the server does: the
// timeout, and what a machine that is busy adds.
const patience = DefaultTimeout + 2*time.Second

// ample is the timeout of tests that are not about one: a machine that is busy
// holds both sides up for seconds.
const ample = 20 * time.Second

// openURL opens a store for the test.
func openURL(t *testing.T, o Options) *Sessions {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func openOn(t *testing.T, server *testserver.RedisServer) *Sessions {
	t.Helper()
	return openURL(t, Options{URL: auth.NewSecret(server.URL()), TLS: server.TLS()})
}

// openPatient is openOn with ample time.
func openPatient(t *testing.T, server *testserver.RedisServer) *Sessions {
	t.Helper()
	return openURL(t, Options{URL: auth.NewSecret(server.URL()), TLS: server.TLS(), Timeout: ample})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err error, code auth.Code) {
	t.Helper()
	if err == nil || auth.CodeOf(err) != code {
		t.Fatalf("got %v, want %v", err, code)
	}
}

// example is a session of an hour.
func example(subject string) store.Session {
	id := uuid.NewString()
	end := time.Now().Add(time.Hour)
	return store.Session{ID: id, Realm: realm, Digest: auth.DigestOf(id), Subject: subject, Family: "of " + subject, Expires: end, Keep: end}
}

func issue(t *testing.T, s *Sessions, subject string) store.Session {
	t.Helper()
	r := example(subject)
	must(t, s.InsertSession(t.Context(), r))
	return r
}

func has(t *testing.T, s *Sessions, r store.Session) bool {
	t.Helper()
	_, err := s.Session(t.Context(), realm, store.SessionRef{Digest: r.Digest})
	if err != nil && !auth.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// until returns once check does so without an error.
func until(t *testing.T, what string, check func() error) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}

// goroutines returns how many there are of the client and the store.
func goroutines() int {
	stacks := make([]byte, 1<<22)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(stack, "rueidis") || strings.Contains(stack, "redisstore.(*Sessions)") {
			n++
		}
	}
	return n
}

// timed runs do and fails the test where it takes longer than patience.
func timed(t *testing.T, what string, do func(context.Context) error) error {
	t.Helper()
	start := time.Now()
	err := do(t.Context())
	if took := time.Since(start); took > patience {
		t.Errorf("%s took %v", what, took)
	}
	return err
}
