package token

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// Random returns 128 random bits, the content of every opaque token. The
// operating system's source does not fail; were it to, the process would end
// rather than hand out a token that can be guessed.
func Random() (b [16]byte) {
	_, _ = rand.Read(b[:]) // documented never to return an error
	return b
}

// OpaquePrefix begins every token of the form [Opaque], so that secret
// scanners and people recognise one.
const OpaquePrefix = "ght_"

// Opaque is the form for dialects that leave it open: [OpaquePrefix] and 22
// base64url characters.
func Opaque(random [16]byte) string {
	return OpaquePrefix + base64.RawURLEncoding.EncodeToString(random[:])
}

// GUID is 8-4-4-4-12 lower-case hex digits. All 128 bits are random: it has no
// version and no variant, unlike a UUID of RFC 9562.
func GUID(random [16]byte) string { return uuid.UUID(random).String() }

// UpperHex is 32 upper-case hex digits.
func UpperHex(random [16]byte) string { return strings.ToUpper(hex.EncodeToString(random[:])) }

// LowerHex is 32 lower-case hex digits.
func LowerHex(random [16]byte) string { return hex.EncodeToString(random[:]) }

// NewUnitID returns the id of a new unit: 32 upper-case hex digits.
func NewUnitID() string { return UpperHex(Random()) }

// NewID returns the id of a new account, tenant or session: a version 4 UUID
// (RFC 9562 section 5.4) in lower case.
func NewID() string { return uuid.NewString() }

// ParseOpaque reports whether text has the form of [Opaque]. The last of its
// characters carries four bits that must be zero, else one token would have
// sixteen spellings.
func ParseOpaque(text string) (canonical string, ok bool) {
	rest, found := strings.CutPrefix(text, OpaquePrefix)
	if !found || len(rest) != 22 || !isBase64URL(rest) {
		return "", false
	}
	if _, err := strict.DecodeString(rest); err != nil {
		return "", false
	}
	return text, true
}

// ParseGUID reports whether text is a GUID with hyphens and returns it in
// lower case. Braces, a urn: prefix or missing hyphens are not taken.
func ParseGUID(text string) (canonical string, ok bool) {
	if len(text) != 36 {
		return "", false
	}
	for i := range len(text) {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen != (text[i] == '-') {
			return "", false
		}
		if text[i] != '-' && !isHex(text[i]) {
			return "", false
		}
	}
	return strings.ToLower(text), true
}

// ParseUpperHex reports whether text is 32 hex digits in upper case.
func ParseUpperHex(text string) (canonical string, ok bool) {
	if !is32Hex(text) || strings.ToUpper(text) != text {
		return "", false
	}
	return text, true
}

// ParseLowerHex reports whether text is 32 hex digits in lower case.
func ParseLowerHex(text string) (canonical string, ok bool) {
	if !is32Hex(text) || strings.ToLower(text) != text {
		return "", false
	}
	return text, true
}

func is32Hex(text string) bool {
	if len(text) != 32 {
		return false
	}
	for i := range len(text) {
		if !isHex(text[i]) {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
