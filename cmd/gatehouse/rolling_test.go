package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// balancerSite sends requests to gateways that say they are well, and to another
// where one cannot be reached. Requests that may have been carried out are not
// sent twice.
const balancerSite = `{
	auto_https off
	log {
		level ERROR
	}
}

http://:{$PORT} {
	bind 127.0.0.1
	reverse_proxy %s {
		lb_policy random
		lb_try_duration 5s
		lb_try_interval 20ms
		fail_duration 1s
	}
}
`

// TestGatewaysAreReplacedOneAfterTheOther has each of three gateways behind a
// balancer given another configuration, and then stopped and started anew, while
// tokens are given out, presented and revoked.
func TestGatewaysAreReplacedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	rows := testserver.Postgres(t)
	storage := "store postgres " + rows.DSN() + "\n\t\tmax_staleness " + failoverStaleness.String()
	var nodes []*node
	var stops []func()
	var places []string
	for range 3 {
		n := newNode(t, storage)
		nodes, stops, places = append(nodes, n), append(stops, n.start("run")), append(places, "127.0.0.1:"+n.port)
	}
	nodes[0].imported("", [2]string{"ann", "user"})
	key := nodes[0].key("ann")
	balancer := newNode(t, "")
	site := fmt.Sprintf(balancerSite, strings.Join(places, " "))
	if err := os.WriteFile(filepath.Join(balancer.folder, "Caddyfile"), []byte(site), 0o600); err != nil {
		t.Fatal(err)
	}
	balancer.start("run")
	l := &loaded{t, &history{bound: failoverStaleness, counts: map[string]int{}, behind: true}, []*node{balancer}, key, rows}
	end := l.load(6)
	defer end()
	for i, n := range nodes {
		n.configure(storage + "\n\t\tgrace " + fmt.Sprint(i+1) + "s")
		text, err := os.ReadFile(filepath.Join(n.folder, "Caddyfile"))
		if err != nil {
			t.Fatal(err)
		}
		if r := n.call(http.MethodPost, "http://"+n.api+"/load", string(text), "Content-Type: text/caddyfile"); r.status != http.StatusOK {
			t.Fatal(r)
		}
		n.healthy()
		l.goesOn()
	}
	reloaded := l.tally()
	t.Logf("while all were reloaded: %v", reloaded)
	for i, n := range nodes {
		stops[i]()
		n.start("run")
		n.healthy()
		l.goesOn()
	}
	end()
	t.Logf("while all were replaced: %v", since(reloaded, l.tally()))
	if n := l.tally()["unavailable"]; n > 0 {
		t.Errorf("%d requests were answered 503", n)
	}
	if n := l.tally()["cut"]; n > mostCut {
		t.Errorf("%d requests were answered 502", n)
	}
	l.judged()
}

// mostCut is how many requests may meet a connection that ends: of six clients,
// one in each of three replacements.
const mostCut = 3

// goesOn waits until another forty requests were answered.
func (l *loaded) goesOn() {
	l.Helper()
	answered := func() (n int) {
		for _, one := range l.tally() {
			n += one
		}
		return n
	}
	before := answered()
	l.nodes[0].eventually("the load goes on", func() bool { return answered() >= before+40 })
}
