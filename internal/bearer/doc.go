// Package bearer reads credentials from requests, takes them out again before
// a request is forwarded, and writes the challenge of a refusal.
//
// A credential is read exactly once and in one way: two values for one source
// are malformed, never a choice. Whether a credential is genuine is not this
// package's business.
package bearer
