package main

import (
	"net/http"
	"testing"
	"time"
)

// cut is a way for the feed of one or of all nodes to end.
type cut struct {
	name       string
	begin, end func()
	// all says that no node reaches the server, else it is the last alone.
	all bool
	// keys says that what is told is of API keys and not of tokens.
	keys bool
	// tokens says that keys are as good as before.
	tokens bool
}

func (c *cluster) cuts() []cut {
	apart := c.redis != nil
	cuts := []cut{
		{"PostgreSQL is paused", c.postgres.Pause, c.postgres.Resume, true, apart, false},
		{"the network swallows what is sent to PostgreSQL", c.rows.swallow, c.rows.mend, false, apart, false},
		{"the connections to PostgreSQL are cut", c.rows.refuse, c.rows.mend, false, apart, false},
	}
	if !apart {
		return cuts
	}
	return append(cuts,
		cut{"Redis is paused", c.redis.Pause, c.redis.Resume, true, false, true},
		cut{"the network swallows what is sent to Redis", c.sessions.swallow, c.sessions.mend, false, false, true},
		cut{"the connections to Redis are cut", c.sessions.refuse, c.sessions.mend, false, false, true},
	)
}

// TestAGatewayWithoutItsFeedDoesNotTrustItsCacheForLong cuts the feed of changes
// in every way.
func TestAGatewayWithoutItsFeedDoesNotTrustItsCacheForLong(t *testing.T) {
	t.Parallel()
	clusters(t, func(t *testing.T, apart bool) {
		t.Parallel()
		c := newCluster(t, apart)
		for _, one := range c.cuts() {
			t.Run(one.name, func(t *testing.T) {
				c.T = t
				if one.all {
					c.silenced(one)
				} else {
					c.cutOff(one)
					c.cutShortly(one)
				}
			})
		}
		c.T = t
		c.revocations(10) // as fast as before
	})
}

// silenced has nobody hear of anything: what is cached ends to count.
func (c *cluster) silenced(one cut) {
	c.Helper()
	line, _ := c.victim(one)
	one.begin()
	defer one.end()
	deaf := time.Now()
	for i, w := range watchAll(c.nodes, line, func() {}) {
		n := c.nodes[i]
		c.ended(n, line, deaf, w)
		want := "down"
		if one.tokens {
			want = "degraded" // keys are good still
		}
		if status, r := n.health(); status != want {
			c.Errorf("node %d says that it is %v", i, r)
		}
	}
	one.end()
	for _, n := range c.nodes {
		n.passes(line)
	}
	c.settled()
	c.stillCached()
}

// ended fails the test where a credential passed longer than the trust in the
// cache may last, or was called bad.
func (c *cluster) ended(n *node, line string, deaf time.Time, w watched) {
	c.Helper()
	if late := w.passed.Sub(deaf); late > clusterStaleness {
		c.Errorf("without the feed it passes for %v", late)
	}
	if r := w.last; r.status != http.StatusServiceUnavailable || r.retry == "" {
		c.Errorf("without the feed it is answered %v, Retry-After %q", r, r.retry)
	}
	c.Logf("not let through any more %v after the cut", w.last.sent.Sub(deaf).Round(time.Millisecond))
	n.eventually("the trust is over", func() bool {
		r := n.present(line)
		late := r.sent.Sub(deaf)
		if late > clusterStaleness && r.passed() || r.status == http.StatusUnauthorized {
			c.Fatalf("%v after the cut it is answered %v", late, r)
		}
		return late > clusterStaleness+clusterStaleness/2
	})
}

// victim is a credential that every node has cached, and how the first of them
// ends it.
func (c *cluster) victim(of cut) (line string, end func()) {
	c.Helper()
	a := c.nodes[0]
	if of.keys {
		k := a.key("ann")
		line, end = "x-api-key: "+k.secret, func() { a.command(&map[string]any{}, "key", "revoke", k.id) }
	} else {
		token := a.grant(c.key)
		line, end = bearerLine(token), func() {
			if r := a.revoke(c.key, token); r.status != http.StatusOK {
				c.Fatalf("it was not revoked: %v", r)
			}
		}
	}
	for _, n := range c.nodes {
		n.passes(line)
	}
	return line, end
}

// cutOff has one node not hear what another did, until the cut is mended.
func (c *cluster) cutOff(one cut) {
	c.Helper()
	far := c.nodes[2]
	line, end := c.victim(one)
	one.begin()
	defer one.end()
	deaf := time.Now()
	end()
	revoked := time.Now()
	both := watchAll([]*node{c.nodes[1], far}, line, func() {})
	if near := both[0]; near.last.status != http.StatusUnauthorized || near.passed.Sub(revoked) > feedLimit {
		c.Errorf("a node that hears of it answers %v, and lets it pass for %v", near.last, near.passed.Sub(revoked))
	}
	c.ended(far, line, deaf, both[1])
	if status, r := far.health(); status == "ok" {
		c.Errorf("the node that is cut off says that it is %v", r)
	}
	one.end()
	c.refusedAgain(far, line)
	c.settled()
	c.stillCached()
}

// refusedAgain waits for a verdict on what was revoked meanwhile.
func (c *cluster) refusedAgain(n *node, line string) {
	c.Helper()
	mended := time.Now()
	n.eventually("there is a verdict", func() bool {
		r := n.present(line)
		if r.passed() {
			c.Fatalf("what was revoked meanwhile passes %v after the cut was mended", r.sent.Sub(mended))
		}
		return r.status == http.StatusUnauthorized
	})
	c.Logf("a verdict again %v after the cut was mended", time.Since(mended).Round(time.Millisecond))
}

// cutShortly mends the cut before the trust in the cache is over.
func (c *cluster) cutShortly(one cut) {
	c.Helper()
	far := c.nodes[2]
	line, end := c.victim(one)
	one.begin()
	defer one.end()
	deaf := time.Now()
	end()
	one.end()
	mended := time.Now()
	w := watch(far, line)
	if w.passed.Sub(deaf) > clusterStaleness {
		c.Errorf("after a short cut it passes for %v", w.passed.Sub(deaf))
	}
	c.Logf("after a short cut refused %v after its end", w.last.got.Sub(mended).Round(time.Millisecond))
	c.refusedAgain(far, line)
	c.settled()
	c.stillCached()
}
