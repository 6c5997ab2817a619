package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// How long a fault of a nemesis lasts at most, and the peace after it.
const (
	longestFault = 4 * time.Second
	longestPeace = 1500 * time.Millisecond
	// nemesisPace is how often each client asks.
	nemesisPace = 10 * time.Millisecond
)

// nemesis is three gateways on the same servers, over TLS and each over wires of
// its own, and what befalls them.
type nemesis struct {
	*testing.T
	*history
	nodes  []*node
	ends   []func() // of the gateways
	wires  [][]*wire
	names  []string // of the servers that the wires lead to
	server []remote
	key    keyPair
	chance *rand.Rand
	// busy are those that something has befallen already in this round.
	busy map[string]bool
	// killing says that requests may break off, spared which nodes nothing has
	// befallen.
	killing atomic.Bool
	spared  [3]atomic.Bool
}

// TestTroubleBetweenGatewaysAndTheirStore has GATEHOUSE_NEMESIS_ROUNDS (2) rounds
// of it, those of GATEHOUSE_NEMESIS_SEED: whatever happens, no token passes that
// was revoked, beyond what max_staleness and grace allow, and none is called bad
// that is good.
func TestTroubleBetweenGatewaysAndTheirStore(t *testing.T) {
	t.Parallel()
	for _, apart := range []bool{false, true} {
		t.Run(map[bool]string{false: "on PostgreSQL", true: "on PostgreSQL with sessions in Redis"}[apart], func(t *testing.T) {
			t.Parallel()
			seed := seedFrom(t, "GATEHOUSE_NEMESIS_SEED")
			n := newNemesis(t, apart, rand.New(rand.NewPCG(seed, 0)))
			n.play(amount(t, "GATEHOUSE_NEMESIS_ROUNDS", 2), seed)
		})
	}
}

func newNemesis(t *testing.T, apart bool, chance *rand.Rand) *nemesis {
	t.Helper()
	rows := testserver.PostgresTLS(t)
	grace := time.Duration(chance.IntN(2)) * time.Second
	n := &nemesis{
		T: t, history: &history{bound: clusterStaleness + grace, counts: map[string]int{}},
		names: []string{"PostgreSQL"}, server: []remote{rows}, chance: chance,
	}
	var sessions *testserver.RedisServer
	if apart {
		sessions = testserver.RedisTLS(t, "appendfsync always")
		n.names, n.server = append(n.names, "Redis"), append(n.server, sessions)
	}
	for range 3 {
		way := newWire(t, rows.Address())
		wires := []*wire{way}
		lines := fmt.Sprintf("store postgres %q\n\t\tmax_staleness %v", rows.TLSDSNAt(way.address), clusterStaleness)
		if grace > 0 {
			lines += "\n\t\tgrace " + grace.String()
		}
		if apart {
			way = newWire(t, sessions.Address)
			wires = append(wires, way)
			lines += "\n\t\tsessions redis rediss://" + way.address
		}
		one := newNode(t, lines)
		if apart {
			one.env = append(one.env, "SSL_CERT_FILE="+sessions.CA)
		}
		n.nodes, n.wires, n.ends = append(n.nodes, one), append(n.wires, wires), append(n.ends, one.startUntil(os.Kill, "gatehouse", "run"))
	}
	n.nodes[0].imported("", [2]string{"ann", "user"})
	n.key = n.nodes[0].key("ann")
	return n
}

// play has the rounds of a test under load, and looks at every token afterwards.
func (n *nemesis) play(rounds int, seed uint64) {
	n.Helper()
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 6 {
		chance := rand.New(rand.NewPCG(seed, uint64(i)+1))
		clients.Go(func() { n.ask(chance, stop) })
	}
	for i := 0; i < rounds && !n.Failed(); i++ {
		did := n.befall()
		n.report(did)
		if i%20 == 19 {
			n.Log(n.counts)
		}
	}
	close(stop)
	clients.Wait()
	for _, one := range n.nodes {
		one.healthy()
	}
	n.wholeTruth()
	n.report("at the end")
	n.Log(n.counts)
}

// report fails the test for what was wrong.
func (n *nemesis) report(when string) {
	n.Helper()
	n.Log(when)
	for i, text := range n.takeWrong() {
		if i == 20 {
			n.Error("and more")
			break
		}
		n.Error(text)
	}
}

// ask is one client, who asks any of the gateways for anything.
func (n *nemesis) ask(chance *rand.Rand, stop <-chan struct{}) {
	pace := time.NewTicker(nemesisPace)
	defer pace.Stop()
	for {
		select {
		case <-stop:
			return
		case <-pace.C:
		}
		i := chance.IntN(len(n.nodes))
		one, who := n.nodes[i], fmt.Sprint("node ", i)
		switch k := chance.IntN(20); {
		case k < 2:
			n.grant(one, who)
		case k < 3:
			n.race(chance)
		case k < 4:
			if f := n.some(chance); f != nil {
				n.doubt(f)
				if r := one.revoke(n.key, f.text); !n.gone(r) {
					n.revoked(who, f, r)
				}
			}
		case k < 5:
			if r := one.present(bearerLine("ght_unknown")); !n.gone(r) && r.status != http.StatusUnauthorized && !unavailable(r) {
				n.complain("%s: an unknown token is answered %v", who, r)
			}
		default:
			if f := n.some(chance); f != nil {
				spared := n.spared[i].Load()
				r := one.present(bearerLine(f.text))
				if n.gone(r) {
					continue
				}
				n.presented(who, f, r)
				if spared && n.spared[i].Load() {
					n.count("spared")
					if unavailable(r) {
						n.count("spared, unavailable")
					}
				}
			}
		}
	}
}

// gone says that there is no answer, since the gateway was killed.
func (n *nemesis) gone(r reply) bool {
	if r.err == nil {
		return false
	}
	n.count("unanswered")
	if !n.killing.Load() {
		n.complain("no answer: %v", r)
	}
	return true
}

func (n *nemesis) grant(one *node, who string) {
	if pair := n.pair(one, who); pair.Access != "" {
		n.issued(pair.Access)
	}
}

// pair is what a grant answers.
type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (n *nemesis) pair(one *node, who string) (got pair) {
	r := one.form(n.key, "/oauth2/token", url.Values{"grant_type": {"client_credentials"}})
	switch {
	case n.gone(r):
	case unavailable(r):
		n.count("unavailable")
	case r.status != http.StatusOK || json.Unmarshal([]byte(r.body), &got) != nil || got.Access == "":
		n.complain("%s: a grant is answered %v", who, r)
	}
	return got
}

// race has a refresh token used on two gateways at once: one of them at most may
// answer with a new pair. The other ends what came of the token, so that none of it
// is in the history.
func (n *nemesis) race(chance *rand.Rand) {
	refresh := n.pair(n.nodes[chance.IntN(3)], "a race").Refresh
	if refresh == "" {
		return
	}
	first := chance.IntN(3)
	var answers [2]reply
	var both sync.WaitGroup
	for i := range answers {
		one := n.nodes[(first+i)%3]
		both.Go(func() {
			answers[i] = one.form(n.key, "/oauth2/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
		})
	}
	both.Wait()
	won := 0
	for _, r := range answers {
		switch {
		case n.gone(r):
		case r.status == http.StatusOK:
			won++
		case r.status != http.StatusBadRequest && !unavailable(r):
			n.complain("a refresh is answered %v", r)
		}
	}
	n.count("races")
	if won > 1 {
		n.complain("both won the race for a refresh token: %v", answers)
	}
}

// befall has one to three things happen at once, ends all of them, and returns
// what they were.
func (n *nemesis) befall() string {
	n.busy = map[string]bool{}
	n.killing.Store(false)
	var did []string
	var ends []func()
	for range 1 + n.chance.IntN(3) {
		if name, end := n.fault(); name != "" {
			did, ends = append(did, name), append(ends, end)
		}
	}
	for i := range n.nodes {
		n.spared[i].Store(!n.busy["servers"] && !n.busy[fmt.Sprint("node ", i)])
	}
	n.pause(longestFault)
	for i := range n.nodes {
		n.spared[i].Store(false)
	}
	for _, end := range ends {
		end()
	}
	for i, end := range n.ends {
		if end == nil { // now that it finds its servers
			n.ends[i] = n.nodes[i].startUntil(os.Kill, "gatehouse", "run")
		}
	}
	n.pause(longestPeace)
	return strings.Join(did, "; ")
}

func (n *nemesis) pause(longest time.Duration) {
	<-time.After(time.Duration(n.chance.Int64N(int64(longest))))
}

// fault begins something and returns what ends it.
func (n *nemesis) fault() (name string, end func()) {
	i, k := n.chance.IntN(len(n.nodes)), n.chance.IntN(len(n.names))
	w := n.wires[i][k]
	between := fmt.Sprintf("between node %d and %s: ", i, n.names[k])
	n.busy[fmt.Sprint("node ", i)] = true
	switch n.chance.IntN(11) {
	case 0:
		w.swallow()
		return between + "all is swallowed", w.mend
	case 1:
		w.swallowOne(there)
		return between + "what is sent there is swallowed", w.mend
	case 2:
		w.swallowOne(back)
		return between + "what comes back is swallowed", w.mend
	case 3:
		w.refuse()
		return between + "refused", w.mend
	case 4:
		w.reset()
		return between + "reset", w.mend
	case 5:
		w.halfClose()
		return between + "half closed", w.mend
	case 6:
		d := time.Duration(n.chance.Int64N(int64(time.Second)))
		w.delay(d)
		return between + d.String(), w.mend
	case 7:
		spoils := rand.New(rand.NewPCG(n.chance.Uint64(), 0))
		var mu sync.Mutex
		w.corrupt(func() bool {
			mu.Lock()
			defer mu.Unlock()
			return spoils.IntN(10) == 0
		})
		return between + "corrupt", w.mend
	case 8:
		return n.unserved(k, "paused", n.server[k].Pause, n.server[k].Resume)
	case 9:
		return n.unserved(k, "killed", n.server[k].Kill, n.server[k].Start)
	default:
		if n.ends[i] == nil {
			return "", nil
		}
		n.killing.Store(true)
		n.ends[i]()
		n.ends[i] = nil
		return fmt.Sprintf("node %d is killed", i), func() {}
	}
}

// unserved has something befall a server, unless something has.
func (n *nemesis) unserved(k int, what string, begin, end func()) (string, func()) {
	if n.busy[n.names[k]] {
		return "", nil
	}
	n.busy[n.names[k]], n.busy["servers"] = true, true
	begin()
	return n.names[k] + " is " + what, end
}

// wholeTruth has every gateway asked about every token.
func (n *nemesis) wholeTruth() {
	n.Helper()
	var all sync.WaitGroup
	facts := n.facts
	for part := range 8 {
		all.Go(func() {
			for i := part; i < len(facts); i += 8 {
				for k, one := range n.nodes {
					n.verdict(one, fmt.Sprint("at the end, node ", k), facts[i])
				}
			}
		})
	}
	all.Wait()
}
