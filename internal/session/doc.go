// Package session is the service that all dialects call: log in, resolve the
// credential of a dialect's own call, refresh, revoke, read and change the
// caller's profile. It owns the order of a login (attempts, then the hash,
// then a durable row, then the answer) and knows no wire format.
package session
