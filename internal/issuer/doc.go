// Package issuer verifies JWTs of outside issuers: those that a site was told
// to trust, each with the audience, the algorithms and the meaning of claims
// that its operator pinned.
//
// An [Issuer] is one such line of a configuration; a [Trust] is those of one
// site. Which keys an issuer signs with is asked of the issuer itself, through
// its metadata (OpenID Connect Discovery 1.0, RFC 8414) or an address of its
// key set, and kept by a [Pool], which survives a change of configuration.
//
// Nothing that a token says about keys is followed: it names one of the keys
// that are known, or it is refused. What cannot be verified because an issuer
// is out of reach is Unavailable, never the caller's fault.
//
// This package knows no store and no accounts: whoever an issuer vouches for
// is a caller of its own, whose subject begins with the issuer's URL.
package issuer
