// Package gateway is the two flows over net/http: a login call goes to its
// dialect, every other request through the guard (read the credential, resolve
// it, decide, tell the upstream, hand on).
//
// A [Site] is one configured guard; a [Runtime] is what all sites of a process
// share and what survives a change of the configuration: the store, the cache
// of verdicts, the counters. How either is configured, logged or measured is
// the business of whoever builds them.
package gateway
