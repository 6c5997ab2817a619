package testserver

import (
	"fmt"
	"net/url"
	"strconv"
	"testing"
)

// SentinelSet is what the sentinel of a test calls its master.
const SentinelSet = "main"

// RedisSentinel starts a sentinel, whose vote is enough, that watches a master
// and makes a replica the next one a second after the master is gone.
func RedisSentinel(t testing.TB, master *RedisServer) *RedisServer {
	t.Helper()
	s := redis(t, "redis-sentinel", nil, []string{
		"bind 127.0.0.1",
		"sentinel monitor " + SentinelSet + " 127.0.0.1 " + strconv.Itoa(master.Port) + " 1",
		"sentinel down-after-milliseconds " + SentinelSet + " 1000",
		"sentinel failover-timeout " + SentinelSet + " 3000",
	})
	s.until(func() error {
		replicas, err := s.Do("SENTINEL", "REPLICAS", SentinelSet)
		if err == nil && len(replicas.([]any)) == 0 {
			err = fmt.Errorf("the sentinel knows no replica")
		}
		return err
	})
	return s
}

// SentinelURL is where clients find the master that a sentinel names.
func SentinelURL(sentinel *RedisServer) string {
	u := url.URL{Scheme: "redis", Host: sentinel.Address, RawQuery: "master_set=" + SentinelSet}
	return u.String()
}
