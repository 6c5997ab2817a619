package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
)

// Redacted is what a [Secret] prints as, everywhere.
const Redacted = "[redacted]"

// Secret is text that must not be printed: a password, a token, a key. Every
// way to format it yields [Redacted]; [Secret.Reveal] gives the text.
type Secret struct{ text string }

// NewSecret returns text as a [Secret].
func NewSecret(text string) Secret { return Secret{text} }

// Reveal returns the text itself. Search for its callers to see every place
// that touches a secret.
func (s Secret) Reveal() string { return s.text }

// Empty reports whether there is no text.
func (s Secret) Empty() bool { return s.text == "" }

// Equal compares in constant time for texts of one length.
func (s Secret) Equal(other Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.text), []byte(other.text)) == 1
}

// String returns [Redacted].
func (Secret) String() string { return Redacted }

// Format prints [Redacted] whatever the verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// MarshalText returns [Redacted]: JSON, XML and loggers use it.
func (Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// Digest is the SHA-256 of a token or key: what is stored in place of it.
// Tokens and keys have at least 124 random bits, so neither salt nor
// stretching would add anything.
type Digest [sha256.Size]byte

// DigestOf returns the SHA-256 of text.
func DigestOf(text string) Digest { return sha256.Sum256([]byte(text)) }

// Equal compares in constant time.
func (d Digest) Equal(other Digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// IsZero reports whether no digest was set.
func (d Digest) IsZero() bool { return d == Digest{} }

// String returns the first eight hex digits, enough to tell rows apart in a
// log and too few to search for.
func (d Digest) String() string { return hex.EncodeToString(d[:4]) }
