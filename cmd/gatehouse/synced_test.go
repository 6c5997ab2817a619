package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// How many logins there are one after another, how many of them are ended again,
// and how many come at once from how many clients.
const (
	lonelyLogins = 100
	lonelyEnds   = 50
	crowd        = 16
	crowdLogins  = 10
)

// straceArgs has strace write every call that could sync or answer, whole, with
// the names of files. It runs beside the gateway (-D), which so is the process
// that the test starts and ends.
func straceArgs(output string) []string {
	return []string{
		"strace", "-D", "-f", "--seccomp-bpf", "-y", "-xx", "-s", "1048576",
		"-e", "trace=fdatasync,fsync,pwrite64,write,writev,sendto", "-e", "signal=none", "-o", output,
	}
}

// needsStrace is for those who look at system calls. A kernel that lets nobody
// trace, as in some containers, is no fault of what is tested, in CI neither.
func needsStrace(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("strace")
	needs(t, err != nil, "strace")
	args := append(straceArgs(filepath.Join(t.TempDir(), "trace")), "true")
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err == nil {
		return
	}
	if bytes.Contains(out, []byte("Operation not permitted")) {
		t.Skipf("NOT TESTED, for want of leave to trace: the kernel denies ptrace: %s", out)
	}
	t.Fatalf("strace does not run: %v\n%s", err, out)
}

// TestNoAnswerLeavesBeforeItsSync traces a gateway on SQLite: a login is answered
// once the sync has returned that covers its rows, and a release likewise. Logins
// at the same time share syncs.
func TestNoAnswerLeavesBeforeItsSync(t *testing.T) {
	needsStrace(t)
	folder := t.TempDir()
	site := fmt.Appendf(nil, stormSite, "store sqlite "+filepath.Join(folder, "gatehouse.db"))
	if err := os.WriteFile(filepath.Join(folder, "Caddyfile"), site, 0o600); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, folder)
	made := makeCredentials(g, 0)
	trace := filepath.Join(folder, "trace")
	stop := g.startUntil(os.Interrupt, append(straceArgs(trace), "gatehouse", "run")...)
	alone := &stormer{caller: newCaller(g), credentials: made}
	for range lonelyLogins {
		alone.keyLogin()
	}
	for _, e := range alone.entries[:lonelyEnds] {
		alone.ends(e, func() answer {
			return alone.do(http.MethodPost, "/crm/token/release", fmt.Sprintf(`{"token":%q}`, e.text))
		})
	}
	together := make([]*stormer, crowd)
	var all sync.WaitGroup
	for i := range together {
		s := &stormer{caller: newCaller(g), credentials: made}
		together[i] = s
		all.Go(func() {
			for range crowdLogins {
				s.grant()
			}
		})
	}
	all.Wait()
	stop()
	events := wholeTrace(t, trace)
	for _, s := range append(together, alone) {
		if len(s.wrong) > 0 {
			t.Fatalf("%q\n%s", s.wrong, g.output())
		}
	}
	alone.waited(t, events, lonelyLogins)
	releasesWaited(t, events)
	for _, s := range together {
		s.waited(t, events, 2*crowdLogins)
	}
	syncsAreShared(t, events, alone, together)
}

// wholeTrace reads a trace once strace has written the last of it.
func wholeTrace(t *testing.T, path string) (events []*event) {
	t.Helper()
	var text []byte
	until(t, func() (ended bool) {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
		return bytes.HasSuffix(text, []byte("+++\n"))
	})
	events, err := readTrace(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// waited looks at all that a client was answered.
func (s *stormer) waited(t *testing.T, events []*event, want int) {
	t.Helper()
	if len(s.entries) != want {
		t.Errorf("%d tokens were answered, want %d", len(s.entries), want)
	}
	for _, e := range s.entries {
		digest := sha256.Sum256([]byte(e.text))
		if err := tooEarly(events, e.text, digest[:]); err != nil {
			t.Errorf("%s: %v", e.what, err)
		}
	}
}

// releasesWaited wants a commit with its sync between each answered release and
// whatever was answered before: they came one after another.
func releasesWaited(t *testing.T, events []*event) {
	t.Helper()
	before, found := 0, 0
	for i, e := range events {
		if !e.answers("HTTP/1.1 ") {
			continue
		}
		if e.answers(`"data":{}`) {
			found++
			if s, err := syncAfter(events[before:i]); err != nil {
				t.Errorf("release %d: %v", found, err)
			} else if s.ended > e.began {
				t.Errorf("release %d: answered before its sync", found)
			}
		}
		before = i
	}
	if found != lonelyEnds {
		t.Errorf("the trace has %d releases, want %d", found, lonelyEnds)
	}
}

// syncsAreShared counts the syncs of logins one by one and of those at once.
func syncsAreShared(t *testing.T, events []*event, alone *stormer, together []*stormer) {
	t.Helper()
	first, last := len(events), 0
	for _, s := range together {
		for _, e := range s.entries {
			i := slices.Index(events, answered(events, e.text))
			first, last = min(first, i), max(last, i)
		}
	}
	// Those of the first who were answered lie before their answer.
	for first > 0 && !events[first-1].answers("HTTP/1.1 ") {
		first--
	}
	end := slices.Index(events, answered(events, alone.entries[lonelyLogins-1].text))
	quiet, busy := syncs(events[:end]), syncs(events[first:last])
	if busy >= crowd*crowdLogins {
		t.Errorf("%d logins at once took %d syncs", crowd*crowdLogins, busy)
	}
	t.Logf("%d logins one after another: %d syncs of the log; %d logins by %d clients at once: %d",
		lonelyLogins, quiet, crowd*crowdLogins, crowd, busy)
}

func syncs(events []*event) (n int) {
	for _, e := range events {
		if e.synced() {
			n++
		}
	}
	return n
}
