package password

import (
	"crypto/subtle"
	"fmt"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// scryptHash is `$scrypt$ln=…,r=…,p=…$salt$key` (RFC 7914; ln is the binary
// logarithm of N), as passlib and the PHC format both write it.
type scryptHash struct {
	ln, r, p  uint32
	salt, key []byte
	dotted    bool
}

// maxScryptBlock bounds r. 8 is what everybody uses.
const maxScryptBlock = 64

func parseScrypt(_, rest string, b bounds) (hash, error) {
	costs, tail, ok := strings.Cut(rest, "$")
	if !ok {
		return nil, errForm
	}
	v, err := params(costs, "ln", "r", "p")
	if err != nil {
		return nil, err
	}
	h := scryptHash{ln: v[0], r: v[1], p: v[2]}
	if err := h.within(b); err != nil {
		return nil, err
	}
	h.salt, h.key, h.dotted, err = saltAndKey(tail)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (h scryptHash) within(b bounds) error {
	if h.ln < 1 || h.r < 1 || h.p < 1 {
		return errParam
	}
	if h.ln > 31 || h.r > maxScryptBlock || h.p > b.lanes {
		return errCostly
	}
	blocks := uint64(h.r) << h.ln // of 128 bytes each: p is at least 1, so this bounds the memory too
	if blocks*uint64(h.p) > b.scrypt {
		return errCostly
	}
	return nil
}

func (h scryptHash) tells(pw string) bool { return hmacTells(pw) }

func (h scryptHash) matches(password []byte) bool {
	key, err := scrypt.Key(password, h.salt, 1<<h.ln, int(h.r), int(h.p), len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1
}

func (h scryptHash) String() string {
	return fmt.Sprintf("$scrypt$ln=%d,r=%d,p=%d$%s", h.ln, h.r, h.p, encodeSaltAndKey(h.salt, h.key, h.dotted))
}
