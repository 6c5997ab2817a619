// Package token mints what the gateway hands out and verifies what can be
// verified without a store: opaque tokens in the forms that dialects need, API
// keys, and JWTs signed here ([Signers]). It also owns the [Ring] that encrypts
// whatever is kept and must be given back.
//
// A token has exactly one spelling. A GUID is folded into it, a JWT in any
// other base64 is refused: a revoked token must not come back respelt.
//
// Whether a token was revoked is not known here: a genuine JWT still needs the
// session that its jti names. Tokens of outside issuers are not this package's
// business either.
package token
