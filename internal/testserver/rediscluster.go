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
	return cluster(t, func(settings []string) *RedisServer { return Redis(t, settings...) }, settings)
}

// RedisClusterTLS is [RedisCluster] over TLS, among the servers too; all have the
// certificate of the first.
func RedisClusterTLS(t testing.TB, settings ...string) []*RedisServer {
	t.Helper()
	dir := folder(t, nil)
	certificate, key, config := selfSigned(t, dir)
	return cluster(t, func(settings []string) *RedisServer {
		s := redis(t, "redis-server", config, append([]string{
			"tls-cert-file " + certificate, "tls-key-file " + key, "tls-ca-cert-file " + certificate,
			"tls-auth-clients no", "tls-cluster yes", "tls-replication yes",
		}, settings...))
		s.CA = certificate
		return s
	}, settings)
}

func cluster(t testing.TB, start func(settings []string) *RedisServer, settings []string) []*RedisServer {
	t.Helper()
	nodes := make([]*RedisServer, masters)
	for i := range nodes {
		nodes[i] = start(append(clustered(t), settings...))
		nodes[i].Must("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(slots*i/masters), strconv.Itoa(slots*(i+1)/masters-1))
		if i > 0 {
			nodes[i].meet(nodes[0])
		}
	}
	for _, node := range nodes {
		node.until(node.whole)
	}
	return nodes
}

// clustered are the settings of a node of a cluster.
func clustered(t testing.TB) []string {
	t.Helper()
	return []string{
		"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 2000", "cluster-allow-replica-migration no",
		"cluster-port " + strconv.Itoa(loopbackPort(t)),
	}
}

// meet has a node join the cluster of another.
func (s *RedisServer) meet(other *RedisServer) {
	s.t.Helper()
	bus := other.Must("CONFIG", "GET", "cluster-port").([]any)[1].(string)
	s.Must("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(other.Port), bus)
}

// RedisClusterReplica starts a replica of one of the masters, and returns when
// every node knows it and it has the master's data.
func RedisClusterReplica(t testing.TB, nodes []*RedisServer, master *RedisServer, settings ...string) *RedisServer {
	t.Helper()
	s := Redis(t, append(clustered(t), settings...)...)
	s.meet(master)
	id := master.Must("CLUSTER", "MYID").(string)
	s.until(func() error { _, err := s.Do("CLUSTER", "REPLICATE", id); return err })
	mine := s.Must("CLUSTER", "MYID").(string)
	for _, node := range append([]*RedisServer{s}, nodes...) {
		node.until(func() error {
			text, err := node.Do("CLUSTER", "NODES")
			if err == nil && !strings.Contains(fmt.Sprint(text), "slave "+id) {
				err = fmt.Errorf("it does not know the replica %s", mine)
			}
			return err
		})
	}
	s.until(func() error {
		if role := fmt.Sprint(s.Must("ROLE")); !strings.Contains(role, "connected") {
			return fmt.Errorf("the replica is %s", role)
		}
		return nil
	})
	return s
}

// MasterOf returns the node that holds the slot of a hash tag.
func MasterOf(nodes []*RedisServer, tag string) *RedisServer {
	slot := nodes[0].Must("CLUSTER", "KEYSLOT", tag).(int64)
	for i, node := range nodes {
		if slot < int64(slots*(i+1)/masters) {
			return node
		}
	}
	return nil
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

// MoveSlot carries the slot of a hash tag from one master to another, a key after
// the other.
func MoveSlot(nodes []*RedisServer, tag string, from, to *RedisServer) {
	number := strconv.FormatInt(from.Must("CLUSTER", "KEYSLOT", tag).(int64), 10)
	source, target := from.Must("CLUSTER", "MYID").(string), to.Must("CLUSTER", "MYID").(string)
	to.Must("CLUSTER", "SETSLOT", number, "IMPORTING", source)
	from.Must("CLUSTER", "SETSLOT", number, "MIGRATING", target)
	for {
		keys := from.Must("CLUSTER", "GETKEYSINSLOT", number, "10").([]any)
		if len(keys) == 0 {
			break
		}
		for _, key := range keys {
			from.Must("MIGRATE", "127.0.0.1", strconv.Itoa(to.Port), key.(string), "0", "5000")
		}
	}
	to.Must("CLUSTER", "SETSLOT", number, "NODE", target)
	for _, node := range nodes {
		node.Must("CLUSTER", "SETSLOT", number, "NODE", target)
	}
}
