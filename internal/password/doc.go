// Package password makes and verifies stored password hashes: strings in the
// PHC format (`$scheme$parameters$salt$hash`), argon2id by default, and the
// schemes that other systems left behind (argon2i, bcrypt, scrypt, PBKDF2), so
// that accounts can be brought along with the hashes they have.
//
// Hashing is the one expensive thing that a caller without a credential can
// ask for. So only a few hashes run at once, a bounded number of callers waits
// for a bounded time, and all others are told at once to come back. What an
// imported hash may cost is bounded too.
//
// A password is the bytes that the client sent: nothing is normalised, trimmed
// or cut, since a hash from elsewhere was made of those bytes. RFC 8265
// OpaqueString would make some of them another password. NUL is a byte like
// any other, except to bcrypt.
//
// The package knows no accounts, and no rule about which passwords are good.
package password
