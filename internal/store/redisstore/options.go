package redisstore

import (
	"crypto/tls"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Options say where sessions are kept, and how sure a write must be.
type Options struct {
	// URL is the place, in one of the forms that [Open] lists, with the
	// credentials.
	URL auth.Secret
	// Prefix is the hash tag of all keys; "" is [DefaultPrefix]. Two stores on
	// one server have two prefixes.
	Prefix string
	// Now is the clock by which sessions come to their end and changes are
	// dated; [time.Now] where it is nil.
	Now func() time.Time
	// Timeout is the longest that one exchange with the server may take, and
	// LookupTimeout the longest of one that a request's look-up waits for, with
	// the turn that it waits for; 0 are [DefaultTimeout] and
	// [DefaultLookupTimeout]. A longer Timeout lets connections and probes take
	// longer too.
	Timeout, LookupTimeout time.Duration
	// Replicas is how many replicas must have a write before a call returns; 0
	// asks none. Where fewer confirm it within ReplicaWait the call is
	// [auth.Unavailable], although the write was done.
	Replicas int
	// ReplicaWait is part of Timeout; 0 is half of it.
	ReplicaWait time.Duration
	// TLS is used with rediss:// URLs in place of the system's authorities.
	TLS *tls.Config
	// Observe is told how long each call took, by a short stable name such as
	// "session" or "insert_session", and its error. It may be called from any
	// goroutine and must not block. nil is nobody.
	Observe func(op string, took time.Duration, err error)
}

// What the zero [Options] mean. DefaultLookupTimeout lets a request whose look-up
// is not answered be refused within 300 ms. A server that is slow and answers each
// look-up sooner is not away.
const (
	DefaultPrefix        = "gatehouse"
	DefaultTimeout       = 750 * time.Millisecond
	DefaultLookupTimeout = 250 * time.Millisecond
)

// spare is how much longer an exchange may take than by default.
func (o Options) spare() time.Duration { return max(0, o.Timeout-DefaultTimeout) }

func (o Options) withDefaults() Options {
	if o.Prefix == "" {
		o.Prefix = DefaultPrefix
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.LookupTimeout <= 0 {
		o.LookupTimeout = DefaultLookupTimeout
	}
	if o.ReplicaWait <= 0 || o.ReplicaWait > o.Timeout {
		o.ReplicaWait = o.Timeout / 2
	}
	if o.Observe == nil {
		o.Observe = func(string, time.Duration, error) {}
	}
	return o
}
