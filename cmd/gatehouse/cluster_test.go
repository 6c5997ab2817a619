package main

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// cluster is three gateways on the same servers; the last of them reaches these
// over wires that can be cut.
type cluster struct {
	*testing.T
	postgres *testserver.PostgresServer
	redis    *testserver.RedisServer // nil where sessions are in PostgreSQL too
	rows     *wire
	sessions *wire
	nodes    []*node
	key      keyPair
	// others are lines with credentials that nothing happens to.
	others []string
}

// clusterStaleness is how long a node of the tests believes its cache without a
// feed.
const clusterStaleness = 1500 * time.Millisecond

func newCluster(t *testing.T, apart bool) *cluster {
	t.Helper()
	c := &cluster{T: t, postgres: testserver.Postgres(t)}
	c.rows = newWire(t, c.postgres.Address())
	if apart {
		c.redis = testserver.Redis(t)
		c.sessions = newWire(t, c.redis.Address)
	}
	for range 2 {
		c.nodes = append(c.nodes, newNode(t, c.storage(c.postgres.Address(), "")))
	}
	if apart {
		c.nodes[0].configure(c.storage(c.postgres.Address(), c.redis.Address))
		c.nodes[1].configure(c.storage(c.postgres.Address(), c.redis.Address))
		c.nodes = append(c.nodes, newNode(t, c.storage(c.rows.address, c.sessions.address)))
	} else {
		c.nodes = append(c.nodes, newNode(t, c.storage(c.rows.address, "")))
	}
	// All at once on an empty database, as when a cluster is first started.
	var all sync.WaitGroup
	for _, n := range c.nodes {
		all.Go(func() { n.start("run") })
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	a := c.nodes[0]
	a.imported("", [2]string{"ann", "user"}, [2]string{"cat", "user"})
	c.key = a.key("ann")
	for range 20 {
		c.others = append(c.others, bearerLine(a.grant(c.key)))
	}
	c.others = append(c.others, "x-api-key: "+c.key.secret)
	c.settled()
	return c
}

func (c *cluster) storage(rows, sessions string) string {
	lines := "store postgres " + c.postgres.DSNAt(rows) + "\n\t\tmax_staleness " + clusterStaleness.String()
	if sessions != "" {
		lines += "\n\t\tsessions redis redis://" + sessions
	}
	return lines
}

// settled waits until every node is well and has all that nothing happens to in
// its cache.
func (c *cluster) settled() {
	c.Helper()
	for _, n := range c.nodes {
		n.healthy()
		n.passes(c.others...)
	}
}

// stillCached fails the test unless every node answers what nothing happened to
// from its cache. On a machine that does many other things a feed may be late, and
// a few are looked up although they are cached.
func (c *cluster) stillCached() {
	c.Helper()
	for i, n := range c.nodes {
		hits, misses := n.counter("gatehouse_cache_hits_total"), n.counter("gatehouse_cache_misses_total")
		n.passes(c.others...)
		hits, misses = n.counter("gatehouse_cache_hits_total")-hits, n.counter("gatehouse_cache_misses_total")-misses
		if hits < len(c.others)*3/4 {
			c.Errorf("node %d: of %d credentials that nothing happened to %d were cached and %d were not", i, len(c.others), hits, misses)
		}
	}
}

// watched is what came of asking again and again: when the last request that
// passed was sent, and what was answered after it.
type watched struct {
	passed time.Time
	last   reply
}

// watch presents a credential to a node until it does not pass.
func watch(n *node, line string) (w watched) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(startTime); ; <-tick.C {
		w.last = n.present(line)
		if !w.last.passed() || w.last.got.After(end) {
			return w
		}
		w.passed = w.last.sent
	}
}

// watchAll has several nodes watched at once while something is done.
func watchAll(nodes []*node, line string, meanwhile func()) []watched {
	all := make([]watched, len(nodes))
	var watching sync.WaitGroup
	for i, n := range nodes {
		watching.Go(func() { all[i] = watch(n, line) })
	}
	meanwhile()
	watching.Wait()
	return all
}

// refusal has a credential ended that these nodes have cached, and returns how
// long after the answer each of them went on letting it through.
func (c *cluster) refusal(nodes []*node, line string, end func() reply) (took []time.Duration) {
	c.Helper()
	for _, n := range nodes {
		n.passes(line, line)
	}
	var ended reply
	for i, w := range watchAll(nodes, line, func() { ended = end() }) {
		if unavailable(w.last) {
			w.last = again(func() reply { return nodes[i].present(line) })
		}
		if w.last.status != http.StatusUnauthorized {
			c.Errorf("what was revoked is answered %v", w.last)
		}
		took = append(took, max(0, w.last.got.Sub(ended.got)))
	}
	return took
}

// revocation has the first node end a token, by a revocation or by a logout, and
// returns how long the others let it through.
func (c *cluster) revocation(logout bool) []time.Duration {
	c.Helper()
	first := c.nodes[0]
	token := ""
	end := func() reply { return first.revoke(c.key, token) }
	if logout {
		token, end = first.login("cat"), func() reply { return first.logout(token) }
	} else {
		token = first.grant(c.key)
	}
	return c.refusal(c.nodes[1:], bearerLine(token), func() reply {
		ended := again(end)
		if ended.err != nil || ended.status/100 != 2 {
			c.Errorf("it was not revoked: %v", ended)
		}
		if r := again(func() reply { return first.present(bearerLine(token)) }); r.status != http.StatusUnauthorized {
			c.Errorf("the node that revoked it answers %v", r)
		}
		return ended
	})
}

// mostAgain is how often what was answered 503 is sent again.
const mostAgain = 3

// again does what a client does that is answered 503, as on a busy machine.
func again(do func() reply) (r reply) {
	for range mostAgain {
		if r = do(); !unavailable(r) {
			break
		}
	}
	return r
}

// revocations is revocation n times.
func (c *cluster) revocations(n int) (took []time.Duration) {
	c.Helper()
	for i := range n {
		took = append(took, c.revocation(i%10 == 0)...)
	}
	slices.Sort(took)
	c.Logf("revoked on one, refused on two others: %s", figures(took))
	if p50 := took[len(took)/2]; p50 > usualLimit {
		c.Errorf("half of them are refused after %v, want %v", p50, usualLimit)
	}
	if p99 := took[(len(took)-1)*99/100]; p99 > feedLimit {
		c.Errorf("99 of 100 are refused after %v, want %v", p99, feedLimit)
	}
	return took
}

// figures are the median, the 99th percentile and the longest.
func figures(took []time.Duration) string {
	if len(took) == 0 {
		return "none"
	}
	took = slices.Sorted(slices.Values(took))
	at := func(percent int) time.Duration { return took[(len(took)-1)*percent/100].Round(10 * time.Microsecond) }
	return fmt.Sprintf("%d: p50 %v, p99 %v, longest %v", len(took), at(50), at(99), at(100))
}

// What the tests insist on, of half of all revocations and of 99 of 100. The
// promise is 50 ms for the latter, on a machine that does nothing else. A node
// that is not told, and asks by itself, is slower than the first: it asks every
// half second.
const (
	usualLimit = 100 * time.Millisecond
	feedLimit  = time.Second
)

// clusters runs a test on each kind of cluster.
func clusters(t *testing.T, test func(t *testing.T, apart bool)) {
	t.Run("on PostgreSQL", func(t *testing.T) { test(t, false) })
	t.Run("on PostgreSQL with sessions in Redis", func(t *testing.T) { test(t, true) })
}

// TestWhatOneGatewayRevokesTheOthersRefuse has GATEHOUSE_CLUSTER_REVOCATIONS
// credentials (60) revoked on one of three gateways, and logs how long the
// others went on with what they had cached. `go test -v` shows it.
func TestWhatOneGatewayRevokesTheOthersRefuse(t *testing.T) {
	clusters(t, func(t *testing.T, apart bool) {
		c := newCluster(t, apart)
		c.revocations(amount(t, "GATEHOUSE_CLUSTER_REVOCATIONS", 60))
		c.stillCached()
		c.commands()
		c.stillCached()
	})
}

// commands has credentials ended by commands, which are processes of their own.
func (c *cluster) commands() {
	c.Helper()
	a := c.nodes[0]
	a.imported("", [2]string{"bob", "user"})
	bob := a.key("bob")
	for _, one := range []struct {
		name, line string
		args       []string
	}{
		{"the key that a token was obtained with", bearerLine(a.grant(bob)), []string{"key", "revoke", bob.id}},
		{"an account", bearerLine(a.login("bob")), []string{"account", "disable", "bob"}},
	} {
		took := c.refusal(c.nodes, one.line, func() reply {
			a.command(&map[string]any{}, one.args...)
			return reply{got: time.Now()}
		})
		c.Logf("%s, ended by a command: refused after it %s", one.name, figures(took))
	}
}
