package testserver

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// masters is how many servers a cluster of a test has.
const masters = 3

// slots is how many hash slots every cluster has.
const slots = 16384

// RedisCluster starts three masters that share the hash slots, and returns when
// each says that the cluster is whole.
func RedisCluster(t testing.TB, settings ...string) []*RedisServer {
	t.Helper()
	nodes, buses := make([]*RedisServer, masters), make([]int, masters)
	for i := range nodes {
		buses[i] = loopbackPort(t)
		nodes[i] = Redis(t, append([]string{
			"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 2000",
			"cluster-port " + strconv.Itoa(buses[i]),
		}, settings...)...)
	}
	for i, node := range nodes {
		node.Must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(slots*i/masters), strconv.Itoa(slots*(i+1)/masters-1))
		if i > 0 {
			nodes[0].Must("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(node.Port), strconv.Itoa(buses[i]))
		}
	}
	for _, node := range nodes {
		node.until(node.whole)
	}
	return nodes
}

// ClusterURL is where clients find a cluster: any of its nodes.
func ClusterURL(nodes []*RedisServer) string {
	u, err := url.Parse(nodes[0].URL())
	if err != nil {
		nodes[0].t.Fatal(err)
	}
	query := url.Values{}
	for _, node := range nodes[1:] {
		query.Add("addr", node.Address)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// whole returns nil where a node knows all masters and every slot has one.
func (s *RedisServer) whole() error {
	text, err := s.Do("CLUSTER", "INFO")
	if err != nil {
		return err
	}
	for _, line := range []string{"cluster_state:ok", "cluster_known_nodes:" + strconv.Itoa(masters), "cluster_size:" + strconv.Itoa(masters)} {
		if !strings.Contains(text.(string), line+"\r\n") {
			return fmt.Errorf("a node does not say %s", line)
		}
	}
	return nil
}

// until returns when check does so without an error.
func (s *RedisServer) until(check func() error) {
	s.t.Helper()
	deadline := time.After(startPatience)
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			s.t.Fatalf("%s: %v\n%s", s.name, err, s.Output())
		case <-tick.C:
		}
	}
}
