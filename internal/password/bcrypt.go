package password

import (
	"encoding/base64"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// maxBcrypt is how many bytes of a password bcrypt looks at.
const maxBcrypt = 72

const (
	bcryptSalt = 22 // characters
	bcryptKey  = 31
	minBcrypt  = 4 // the least cost that is defined
)

// bcryptAlphabet is bcrypt's own base64. The last character of the salt may
// have stray bits: widespread libraries wrote such salts.
var (
	bcryptAlphabet = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)
	bcryptStrict   = bcryptAlphabet.Strict()
)

// bcryptHash is `$2b$` cost `$` salt and key. 2a and 2y mean the same: they
// mark repaired faults of one library each, in passwords of other lengths than
// those that are accepted here.
type bcryptHash string

func parseBcrypt(id, rest string, b bounds) (hash, error) {
	digits, text, ok := strings.Cut(rest, "$")
	if !ok || len(digits) != 2 || len(text) != bcryptSalt+bcryptKey || strings.ContainsAny(text, "\r\n") {
		return nil, errForm
	}
	cost, err := number(strings.TrimPrefix(digits, "0"))
	if err != nil || cost < minBcrypt {
		return nil, errParam
	}
	if cost > b.bcrypt {
		return nil, errCostly
	}
	if _, err := bcryptAlphabet.DecodeString(text[:bcryptSalt]); err != nil {
		return nil, errEncode
	}
	if _, err := bcryptStrict.DecodeString(text[bcryptSalt:]); err != nil {
		return nil, errEncode
	}
	return bcryptHash("$" + id + "$" + rest), nil
}

// tells refuses what bcrypt confuses. Past 72 bytes it looks at nothing, so a
// longer password would match with any ending; and it repeats a password with
// a NUL between, so "a" and "a\x00a" are one to it. Whoever has such a password
// needs a new one set: there is no way to verify all of it.
func (h bcryptHash) tells(pw string) bool {
	return len(pw) <= maxBcrypt && strings.IndexByte(pw, 0) < 0
}

func (h bcryptHash) matches(password []byte) bool {
	return bcrypt.CompareHashAndPassword([]byte(h), password) == nil
}

func (h bcryptHash) String() string { return string(h) }
