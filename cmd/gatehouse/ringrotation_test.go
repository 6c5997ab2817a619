package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// ringNodes are two gateways on one database, each with the key ring in a file of
// its own.
type ringNodes struct {
	*testing.T
	nodes []*node
	files []string
}

func newRingNodes(t *testing.T) *ringNodes {
	t.Helper()
	r := &ringNodes{T: t}
	server := testserver.Postgres(t)
	for range 2 {
		file := filepath.Join(t.TempDir(), "keys")
		n := newNode(t, fmt.Sprintf("store postgres %s\n\t\tkey_ring %s", server.DSN(), file))
		r.nodes, r.files = append(r.nodes, n), append(r.files, file)
	}
	r.key("create")
	for _, n := range r.nodes {
		n.start("run")
	}
	return r
}

// key runs a key-ring command on the first machine, and brings the file to the
// others. It returns the key that the command names.
func (r *ringNodes) key(args ...string) string {
	r.Helper()
	var printed struct{ Key string }
	r.nodes[0].command(&printed, append([]string{"key-ring"}, args...)...)
	text, err := os.ReadFile(r.files[0])
	if err != nil {
		r.Fatal(err)
	}
	for _, file := range r.files[1:] {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			r.Fatal(err)
		}
	}
	return printed.Key
}

// reload has all gateways read the ring, one after the other.
func (r *ringNodes) reload() {
	r.Helper()
	for _, n := range r.nodes {
		text, err := os.ReadFile(filepath.Join(n.folder, "Caddyfile"))
		if err != nil {
			r.Fatal(err)
		}
		a := n.call(http.MethodPost, "http://"+n.api+"/load", string(text), "Content-Type: text/caddyfile", "Cache-Control: must-revalidate")
		if a.status != http.StatusOK {
			r.Fatalf("a reload is answered %v\n%s", a, n.lately())
		}
	}
}

// TestAKeyRingIsRotatedWithoutARequestThatFails follows the page on operations,
// step by step, with logins that sign at both gateways all the time.
func TestAKeyRingIsRotatedWithoutARequestThatFails(t *testing.T) {
	t.Parallel()
	r := newRingNodes(t)
	first := r.nodes[0]
	first.imported("", [2]string{"ann", "user"})
	old := first.login("ann")
	var before struct{ Keys []struct{ ID string } }
	first.command(&before, "store", "check")

	var over atomic.Bool
	var busy sync.WaitGroup
	var logins atomic.Int64
	for i, n := range r.nodes {
		other := r.nodes[1-i]
		busy.Go(func() {
			for !over.Load() {
				token, answer := n.tryLoginAt("/jwt", "ann", clientPassword)
				if token == "" {
					t.Errorf("a login at gateway %d is answered %v\n%s", i, answer, n.lately())
					return
				}
				for _, at := range []*node{n, other} {
					if a := at.present(bearerLine(token)); !a.passed() {
						t.Errorf("a token of gateway %d is answered %v", i, a)
						return
					}
				}
				logins.Add(1)
			}
		})
	}
	some := func() { // a step has some logins before the next
		n := logins.Load() + 6
		first.eventually("logins go on", func() bool { return logins.Load() >= n || t.Failed() })
	}
	some()
	next := r.key("rotate", "--standby")
	r.reload()
	some()
	r.key("rotate", "--to", next)
	r.reload()
	some()
	first.command(&map[string]any{}, "key-ring", "reseal")
	some()
	r.key("remove", before.Keys[0].ID)
	r.reload()
	some()
	over.Store(true)
	busy.Wait()
	first.passes(bearerLine(old))
	var after struct {
		Keys     []struct{ ID string }
		Problems []string
	}
	first.command(&after, "store", "check")
	if len(after.Keys) != 1 || after.Keys[0].ID != next {
		t.Errorf("the keys are %v, not %s alone", after.Keys, next)
	}
}
