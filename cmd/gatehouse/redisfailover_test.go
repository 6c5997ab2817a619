package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// loaded is several gateways whose tokens are given out, presented and revoked all
// the time, and what was answered.
type loaded struct {
	*testing.T
	*history
	nodes []*node
	key   keyPair
	rows  *testserver.PostgresServer
}

// load asks until the returned function is called.
func (l *loaded) load(clients int) (end func()) {
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range clients {
		chance := rand.New(rand.NewPCG(uint64(i), 0))
		all.Go(func() { each(stop, func() { l.once(chance) }) })
	}
	return sync.OnceFunc(func() { close(stop); all.Wait() })
}

func (l *loaded) once(chance *rand.Rand) {
	i := chance.IntN(len(l.nodes))
	one, who := l.nodes[i], fmt.Sprint("node ", i)
	f := l.some(chance)
	switch k := chance.IntN(10); {
	case k < 3 || f == nil:
		token, r := one.tryGrant(l.key)
		if token != "" {
			l.issued(token)
			return
		}
		switch {
		case l.cut(r):
			l.count("cut")
		case unavailable(r):
			l.count("unavailable")
		default:
			l.complain("%s: a grant is answered %v", who, r)
		}
	case k < 5:
		l.doubt(f)
		l.revoked(who, f, one.revoke(l.key, f.text))
	default:
		l.presented(who, f, one.present(bearerLine(f.text)))
	}
}

// again waits until every gateway gives out tokens and revokes them, and returns
// how long that took.
func (l *loaded) again() time.Duration {
	l.Helper()
	start := time.Now()
	var all sync.WaitGroup
	for _, n := range l.nodes {
		all.Go(func() {
			n.eventually("there are tokens again", func() bool {
				token, _ := n.tryGrant(l.key)
				return token != "" && n.revoke(l.key, token).status == http.StatusOK
			})
		})
	}
	all.Wait()
	return time.Since(start).Round(time.Millisecond)
}

// found waits until every gateway can look tokens up.
func (l *loaded) found() {
	l.Helper()
	for _, n := range l.nodes {
		n.eventually("there is a master", func() bool { return n.present(bearerLine("nothing")).status == http.StatusUnauthorized })
	}
}

// judged fails the test for what was wrong, and asks every gateway about all.
func (l *loaded) judged() {
	l.Helper()
	for _, f := range l.facts {
		for i, one := range l.nodes {
			l.verdict(one, fmt.Sprint("at the end, node ", i), f)
		}
	}
	for _, text := range l.takeWrong() {
		l.Error(text)
	}
	l.Log(l.counts)
}

// sentinelled is a master with two replicas and a sentinel, which watches it, and
// three gateways.
func sentinelled(t *testing.T, options string) (l *loaded, servers []*testserver.RedisServer, sentinel *testserver.RedisServer) {
	t.Helper()
	settings := []string{"appendfsync always", "repl-timeout 5"}
	servers = []*testserver.RedisServer{testserver.Redis(t, settings...)}
	for range 2 {
		servers = append(servers, testserver.Redis(t, append(settings, fmt.Sprintf("replicaof 127.0.0.1 %d", servers[0].Port))...))
	}
	sentinel = testserver.RedisSentinel(t, servers[0])
	rows := testserver.Postgres(t)
	nodes, key := gateways(t, 3, "store postgres "+rows.DSN()+"\n\t\tsessions redis "+testserver.SentinelURL(sentinel)+options)
	l = &loaded{t, &history{bound: failoverStaleness, counts: map[string]int{}}, nodes, key, rows}
	l.again() // once the replicas follow
	return l, servers, sentinel
}

// named returns who the sentinel says is the master.
func named(sentinel *testserver.RedisServer) string {
	list, _ := sentinel.Must("SENTINEL", "GET-MASTER-ADDR-BY-NAME", testserver.SentinelSet).([]any)
	if len(list) != 2 {
		return ""
	}
	return fmt.Sprint(list[0], ":", list[1])
}

// oldMaster is for how long a master that is none any more is there beside the new
// one, which is less than sentinels take to tell it.
const oldMaster = 2 * time.Second

// TestSentinelsChooseAnotherMasterUnderLoad has the master of the sessions killed,
// or paused so that it comes back and does not know that it is none any more.
// What all replicas had confirmed must be known to the next master, whichever of
// them that is: sentinels choose by what they heard of each a moment ago.
func TestSentinelsChooseAnotherMasterUnderLoad(t *testing.T) {
	t.Parallel()
	for _, paused := range []bool{false, true} {
		t.Run(map[bool]string{false: "killed", true: "paused"}[paused], func(t *testing.T) {
			t.Parallel()
			l, servers, sentinel := sentinelled(t, " {\n\t\t\treplicas 2\n\t\t}")
			end := l.load(4)
			defer end()
			l.nodes[0].eventually("there is something to lose", func() bool { return len(l.snapshot()) > 100 })
			if paused {
				servers[0].Pause()
			} else {
				servers[0].Kill()
			}
			gone := time.Now()
			l.nodes[0].eventually("there is another master", func() bool { return named(sentinel) != servers[0].Address })
			took := time.Since(gone).Round(time.Millisecond)
			l.found() // or the old one is believed for a moment where it comes back
			if paused {
				servers[0].Resume()
			} else {
				servers[0].Start()
			}
			t.Logf("another master after %v, and tokens from all gateways %v after that, with the old one as its replica", took, l.again())
			<-time.After(oldMaster)
			end()
			l.again()
			l.judged()
		})
	}
}

// clustered is three gateways with a cluster of Redis.
func clustered(t *testing.T, servers []*testserver.RedisServer, options string) *loaded {
	t.Helper()
	rows := testserver.Postgres(t)
	nodes, key := gateways(t, 3, "store postgres "+rows.DSN()+"\n\t\tsessions redis "+testserver.ClusterURL(servers)+options, "SSL_CERT_FILE="+servers[0].CA)
	return &loaded{t, &history{bound: failoverStaleness, counts: map[string]int{}}, nodes, key, rows}
}

// TestAReplicaOfAClusterTakesOverUnderLoad has the master of a cluster killed on
// which the sessions are. What its replicas had confirmed must be there.
func TestAReplicaOfAClusterTakesOverUnderLoad(t *testing.T) {
	t.Parallel()
	servers := testserver.RedisCluster(t)
	master := testserver.MasterOf(servers, "gatehouse")
	replicas := []*testserver.RedisServer{testserver.RedisClusterReplica(t, servers, master), testserver.RedisClusterReplica(t, servers, master)}
	l := clustered(t, servers, " {\n\t\t\treplicas 2\n\t\t}")
	end := l.load(4)
	defer end()
	l.nodes[0].eventually("there is something to lose", func() bool { return len(l.snapshot()) > 100 })
	master.Kill()
	gone := time.Now()
	l.nodes[0].eventually("there is another master", func() bool { return slices.ContainsFunc(replicas, isMaster) })
	took := time.Since(gone).Round(time.Millisecond)
	master.Start()
	t.Logf("another master after %v, and tokens from all gateways %v after that, with the old one as its replica", took, l.again())
	end()
	l.judged()
}

func isMaster(s *testserver.RedisServer) bool {
	role, _ := s.Must("ROLE").([]any)
	return len(role) > 0 && fmt.Sprint(role[0]) == "master"
}

// TestASlotMovesToAnotherMasterUnderLoad has all of the store carried from one
// master of a cluster to another, key by key, as those do it who add servers.
func TestASlotMovesToAnotherMasterUnderLoad(t *testing.T) {
	t.Parallel()
	servers := testserver.RedisClusterTLS(t, "appendfsync always")
	l := clustered(t, servers, "")
	end := l.load(4)
	defer end()
	l.nodes[0].eventually("there is something to move", func() bool { return len(l.snapshot()) > 100 })
	from := testserver.MasterOf(servers, "gatehouse")
	to := servers[0]
	if from == to {
		to = servers[1]
	}
	testserver.MoveSlot(servers, "gatehouse", from, to)
	if n := to.Must("DBSIZE").(int64); n < 100 {
		t.Errorf("%d keys are on the new master", n)
	}
	t.Logf("tokens from all %v after the slot was moved", l.again())
	end()
	l.again()
	l.judged()
}
