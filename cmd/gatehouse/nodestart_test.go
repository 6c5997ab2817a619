package main

import (
	"context"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// TestAStoreOfANewerVersionIsRefusedAtTheStart has a later version bring the
// schema further.
func TestAStoreOfANewerVersionIsRefusedAtTheStart(t *testing.T) {
	t.Parallel()
	const later = "INSERT INTO schema_migrations (version, name, applied) VALUES (99, 'later', 0)"
	t.Run("in SQLite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "gatehouse.db")
		n := newNode(t, "store sqlite "+file)
		n.start("run")()
		statement(t, file)(later)
		n.refusesToStart(file)
	})
	t.Run("in PostgreSQL", func(t *testing.T) {
		server := testserver.Postgres(t)
		n := newNode(t, "store postgres "+server.DSNAt(server.Address()))
		n.start("run")()
		server.Exec(server.DSN(), later)
		n.refusesToStart(server.Address())
	})
}

// refusesToStart fails the test unless the gateway ends with the sentence that
// says what to do.
func (n *node) refusesToStart(place string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "gatehouse", "run")
	cmd.Dir, cmd.Env = n.folder, n.env
	out, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		n.t.Fatalf("it started: %v\n%s", err, out)
	}
	for _, part := range []string{"run the version that wrote it", place} {
		if !strings.Contains(string(out), part) {
			n.t.Errorf("it does not say %q:\n%s", part, out)
		}
	}
}

// TestNodesWithDifferentKeyRingsDoEachOtherNoHarm has two gateways that each
// made a key ring of its own share a store.
func TestNodesWithDifferentKeyRingsDoEachOtherNoHarm(t *testing.T) {
	t.Parallel()
	server := testserver.Postgres(t)
	first, second := newNode(t, "store postgres "+server.DSN()), newNode(t, "store postgres "+server.DSN())
	first.start("run")
	second.start("run")
	first.imported("", [2]string{"ann", "user"})
	k := first.key("ann")
	signed, r := first.tryLoginAt("/jwt", "ann", clientPassword)
	if signed == "" {
		t.Fatal(r)
	}
	opaque := first.grant(k)
	before := len(second.output())
	if token, r := second.tryLoginAt("/jwt", "ann", clientPassword); token != "" || r.status != http.StatusServiceUnavailable || r.retry == "" {
		t.Errorf("a login that has to sign with the other's key is answered %v", r)
	}
	var lines []string
	second.eventually("it is logged", func() bool {
		lines = nil
		for line := range strings.Lines(second.output()[before:]) {
			if strings.Contains(line, `"reason":"key_ring"`) {
				lines = append(lines, line)
			}
		}
		return len(lines) > 0
	})
	if len(lines) != 1 || !strings.Contains(lines[0], "key ring") {
		t.Errorf("the log has %d lines of it:\n%s", len(lines), strings.Join(lines, ""))
	}
	// All that needs no sealed row goes on, on both and across them: a signed
	// token too, which the node that lacks the key finds by its digest.
	for _, n := range []*node{first, second} {
		forged := signed[:len(signed)-8] + "AAAAAAAA"
		if r := n.present(bearerLine(forged)); r.status != http.StatusUnauthorized {
			t.Errorf("a forged token is answered %v", r)
		}
		for name, line := range map[string]string{
			"an opaque token": bearerLine(opaque), "a signed token": bearerLine(signed), "a key": "x-api-key: " + k.secret,
		} {
			if r := n.present(line); !r.passed() {
				t.Errorf("%s is answered %v", name, r)
			}
		}
		if r := n.present(bearerLine(n.login("ann"))); !r.passed() {
			t.Errorf("a new token is answered %v", r)
		}
	}
	if token, r := first.tryLoginAt("/jwt", "ann", clientPassword); token == "" {
		t.Errorf("the node that has the key signs no more: %v", r)
	}
	if r := second.logout(opaque); r.status/100 == 5 {
		t.Errorf("a logout is answered %v", r)
	}
	if r := second.revoke(k, opaque); r.status != http.StatusOK {
		t.Errorf("a revocation is answered %v", r)
	}
	first.eventually("the other node's revocation counts", func() bool { return first.present(bearerLine(opaque)).status == http.StatusUnauthorized })
	if r := second.logout(signed); r.status/100 != 2 {
		t.Errorf("the logout of the other's token is answered %v", r)
	}
	second.refuses(bearerLine(signed))
	first.refuses(bearerLine(signed))
}
