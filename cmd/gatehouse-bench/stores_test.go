package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// TestMain lets the test binary be the children that the program starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			exit(role(os.Args[2:]))
		}
	}
	os.Exit(m.Run())
}

// fewSessions is a run that takes a moment.
func fewSessions(where, url string, out *strings.Builder) storesRun {
	return storesRun{sessions: 1000, lookups: 200, span: 100 * time.Millisecond, where: where, url: url, out: out}
}

func TestEveryStoreIsMeasured(t *testing.T) {
	for where, own := range map[string][]string{
		"sqlite":   {"disk: the file and its log"},
		"postgres": {"disk: the database", "of which indexes of sessions"},
		"redis":    {"memory: used_memory", "memory: resident", "disk: the append-only file"},
	} {
		t.Run(where, func(t *testing.T) {
			temporary := open(t)
			t.Setenv("TMPDIR", temporary)
			var out strings.Builder
			r := fewSessions(where, "", &out)
			if err := r.run(t.Context()); err != nil {
				if strings.Contains(err.Error(), "for want of") && os.Getenv("CI") != "true" {
					t.Skip(err)
				}
				t.Fatal(err)
			}
			for _, line := range append(own, "filled", "look-ups, uncached", "inserts, 1 callers", "inserts, 64 callers", "inserts, 256 callers",
				"look-ups before a sweep", "look-ups during the sweep", "swept", "gateway's memory, started", "after 200 distinct tokens") {
				if !strings.Contains(out.String(), line) {
					t.Errorf("nothing is said of %q in\n%s", line, out.String())
				}
			}
			if !strings.Contains(out.String(), "250 rows in at most") {
				t.Errorf("not all that had come to its end was swept:\n%s", out.String())
			}
			if left, _ := filepath.Glob(filepath.Join(temporary, "*")); len(left) > 0 {
				t.Errorf("%q stay behind", left)
			}
		})
	}
}

// open makes a folder for temporary files that servers of other users can reach,
// with a short name for the sockets in it.
func open(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAStoreInUseIsNotFilled(t *testing.T) {
	var out strings.Builder
	r := fewSessions("redis", testserver.Redis(t).URL(), &out)
	p, err := newPlace(&harness{ctx: t.Context()}, r.where, t.TempDir(), r.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.store, err = p.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.addSubjects(t.Context()), r.insertMany(t.Context(), 0, 1, time.Hour), r.store.Close()); err != nil {
		t.Fatal(err)
	}
	again := fewSessions("redis", r.url, &out) // the accounts are new, the sessions are there
	if err := again.run(t.Context()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("it is filled: %v", err)
	}
}

func TestPercentiles(t *testing.T) {
	var took []time.Duration
	for i := range 3000 {
		took = append(took, time.Duration(i+1)*time.Microsecond)
	}
	took[1500] = time.Second
	p := percentilesOf(took, 2)
	if p.p50 != 1500*time.Microsecond || p.p99 != 2971*time.Microsecond || p.longest != time.Second {
		t.Errorf("it is %v", p)
	}
	if p.calm != 1991*time.Microsecond { // of 990, 1991 and 2990: one slow call is not among the first 99 of 100
		t.Errorf("the median of the windows is %v", p.calm)
	}
	if !strings.Contains(p.String(), "2 answered unavailable") {
		t.Errorf("it does not say what failed: %v", p)
	}
}
