package redisstore

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// How long the parts of a connection may take, so that a server that is gone or
// says nothing is noticed within a second: to connect, to answer a ping or a
// write, and between pings. Where an exchange may take longer than it does by
// default, so may what is below it.
const (
	dialTimeout   = 400 * time.Millisecond
	answerTimeout = 500 * time.Millisecond
	pingInterval  = 300 * time.Millisecond
	// retryDelay is how soon a look-up is repeated, within its timeout, and how
	// soon a connection that listens is made again. Writes are never repeated.
	retryDelay = 50 * time.Millisecond
	// topologyInterval is how often sentinels and clusters are asked who is
	// the master, beside being told.
	topologyInterval = 2 * time.Second
)

// Bounds of what one client keeps.
const (
	maxCalls       = 512 // exchanges under way; half of what a connection queues
	maxConnections = 64  // that writes use which wait for replicas
	bufferBytes    = 64 << 10
)

// parameters are what may stand in the query of the URL. What weakens TLS is
// not among them.
var parameters = []string{"addr", "db", "master_set", "sentinel_username", "sentinel_password"}

// place reads the URL. Errors say nothing of it: it holds a password.
func place(o Options) (rueidis.ClientOption, error) {
	text := o.URL.Reveal()
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "#") { // what follows one is the rest of a password, most likely
		return rueidis.ClientOption{}, errors.New("the URL of the session store cannot be read: it is redis://user:password@host:6379/0, " +
			"a / # ? % or @ of the password percent-encoded")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return rueidis.ClientOption{}, errors.New("the query of the session store's URL cannot be read")
	}
	for name := range query {
		if !slices.Contains(parameters, name) {
			return rueidis.ClientOption{}, fmt.Errorf("the URL of the session store has an unknown parameter: known are %s",
				strings.Join(parameters, ", "))
		}
	}
	c, err := rueidis.ParseURL(text)
	if err != nil {
		return rueidis.ClientOption{}, errors.New(
			"the URL of the session store must be redis://, rediss:// or unix:// with a host or path and a database number at most")
	}
	if c.TLSConfig != nil && o.TLS != nil {
		host := c.TLSConfig.ServerName
		c.TLSConfig = o.TLS.Clone()
		if c.TLSConfig.ServerName == "" {
			c.TLSConfig.ServerName = host
		}
		c.TLSConfig.MinVersion = max(c.TLSConfig.MinVersion, tls.VersionTLS12)
	}
	c.Sentinel.Username, c.Sentinel.Password = query.Get("sentinel_username"), query.Get("sentinel_password")
	c.ForceSingleClient = u.Scheme == "unix"
	return tune(c, o.spare()), nil
}

// tune bounds everything that may wait or grow.
func tune(c rueidis.ClientOption, spare time.Duration) rueidis.ClientOption {
	c.ClientName = "gatehouse"
	c.ClientSetInfo = rueidis.DisableClientSetInfo
	c.DisableCache = true // the verdict cache is above the store
	c.RetryDelay = func(int, rueidis.Completed, error) time.Duration { return retryDelay }
	c.Dialer.Timeout, c.Dialer.KeepAlive = dialTimeout+spare, pingInterval
	c.ConnWriteTimeout = answerTimeout + spare
	c.BlockingPoolSize = maxConnections
	c.BlockingPoolCleanup = time.Minute
	c.ReadBufferEachConn, c.WriteBufferEachConn = bufferBytes, bufferBytes
	c.ClusterOption.ShardsRefreshInterval = topologyInterval
	c.Sentinel.TopologyRefreshInterval = topologyInterval
	c.Sentinel.Dialer, c.Sentinel.TLSConfig = c.Dialer, c.TLSConfig
	return c
}
