package authn

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

// cacheKey is the SHA-256 over the realm, the kind and every presented value,
// each with its length before it: joined without lengths, two credentials
// could share a key (CVE-2026-39972, CVE-2026-33496).
type cacheKey [sha256.Size]byte

// keySpace holds what is hashed for a usual credential, so that it stays on
// the stack.
const keySpace = 128

func keyOf(realm string, c bearer.Credential) cacheKey {
	var space [keySpace]byte
	b := appendValue(space[:0], realm)
	b = append(b, kindByte(c.Kind))
	b = appendValue(b, c.Token)
	if c.Key != "" || c.User != "" || c.Entity != "" {
		b = appendValue(b, c.Key)
		b = appendValue(b, c.User)
		b = appendValue(b, c.Entity)
	}
	return sha256.Sum256(b)
}

func appendValue(b []byte, v string) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// kindByte is short so that the hash of a usual token takes one block.
func kindByte(k auth.CredentialKind) byte {
	switch k {
	case auth.Bearer:
		return 1
	case auth.APIKey:
		return 2
	case auth.KeyUserToken:
		return 3
	case auth.Basic:
		return 4
	case auth.Query:
		return 5
	case auth.Body:
		return 6
	}
	return 0
}
