package main

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// failoverStaleness is max_staleness of the gateways of these tests.
const failoverStaleness = 2 * time.Second

// gateways starts several with the same options, and makes ann and a key of hers.
func gateways(t *testing.T, many int, storage string, env ...string) (nodes []*node, key keyPair) {
	t.Helper()
	for range many {
		n := newNode(t, storage+"\n\t\tmax_staleness "+failoverStaleness.String())
		n.env = append(n.env, env...)
		nodes = append(nodes, n)
	}
	var all sync.WaitGroup
	for _, n := range nodes {
		all.Go(func() { n.start("run") })
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	nodes[0].imported("", [2]string{"ann", "user"})
	return nodes, nodes[0].key("ann")
}

// TestAStandbyTakesOverFromAServerThatIsGone has a synchronous standby of
// PostgreSQL take writes over, with a server before it that refuses, or one of
// which nobody hears any more, as when a machine is gone.
func TestAStandbyTakesOverFromAServerThatIsGone(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name string
		gone func(*testserver.PostgresServer, *wire)
	}{
		{"killed", func(s *testserver.PostgresServer, _ *wire) { s.Kill() }},
		{"silent", func(_ *testserver.PostgresServer, w *wire) { w.swallow() }},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			first := testserver.Postgres(t)
			second := testserver.PostgresStandby(t, first)
			way := newWire(t, first.Address())
			first.Exec(first.DSN(), "ALTER SYSTEM SET synchronous_standby_names = '"+testserver.StandbyName+"'")
			first.Exec(first.DSN(), "SELECT pg_reload_conf()")
			nodes, key := gateways(t, 3, "store postgres "+first.HostsDSN(way.address, second.Address()))
			token, good := nodes[1].grant(key), bearerLine(nodes[0].grant(key))
			revoked := bearerLine(token)
			for _, n := range nodes {
				n.passes(revoked, good)
			}
			if r := nodes[0].revoke(key, token); r.status != http.StatusOK {
				t.Fatal(r)
			}
			gone := time.Now()
			one.gone(first, way)
			second.Promote()
			promoted := time.Now()
			var all sync.WaitGroup
			for i, n := range nodes {
				all.Go(func() {
					refused := func() bool {
						r := n.present(revoked)
						if r.passed() && r.sent.After(gone.Add(failoverStaleness)) {
							t.Errorf("node %d: what was revoked is answered %v", i, r)
						}
						return r.status == http.StatusUnauthorized
					}
					n.eventually("it works again", func() bool {
						refused()
						if r := n.present(good); !r.passed() && !unavailable(r) {
							t.Errorf("node %d: what is good is answered %v", i, r)
						}
						token, r := n.tryGrant(key)
						if token == "" && !unavailable(r) {
							t.Errorf("node %d: a grant is answered %v", i, r)
						}
						return token != ""
					})
					t.Logf("node %d: tokens again %v after the server was gone, %v after the other took over", i, time.Since(gone).Round(time.Millisecond), time.Since(promoted).Round(time.Millisecond))
					n.passes(good)
					n.eventually("what was revoked is refused", refused)
				})
			}
			all.Wait()
			for _, n := range nodes {
				n.healthy()
			}
		})
	}
}
