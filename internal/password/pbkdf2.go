package password

import (
	"crypto/pbkdf2"
	"crypto/sha1" // what old systems left; HMAC-SHA-1 is not broken, only cheap
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	stdhash "hash"
	"strings"
)

// digests are the hash functions of the schemes; passlib calls the one with
// SHA-1 just pbkdf2.
var digests = map[string]func() stdhash.Hash{
	"pbkdf2":        sha1.New,
	"pbkdf2-sha1":   sha1.New,
	"pbkdf2-sha256": sha256.New,
	"pbkdf2-sha512": sha512.New,
}

// pbkdf2Hash (RFC 8018 section 5.2) is `$pbkdf2-sha256$…$salt$key`, where the
// third part is the rounds as passlib writes them, `29000`, or as the PHC
// format has it, `i=29000` or `i=29000,l=32`.
type pbkdf2Hash struct {
	scheme    string
	costs     string // as spelled
	rounds    uint32
	salt, key []byte
	dotted    bool
}

func parsePBKDF2(id, rest string, b bounds) (hash, error) {
	costs, tail, ok := strings.Cut(rest, "$")
	if !ok {
		return nil, errForm
	}
	h := pbkdf2Hash{scheme: id, costs: costs}
	rounds, length, err := pbkdf2Costs(costs)
	if err != nil {
		return nil, err
	}
	h.rounds = rounds
	h.salt, h.key, h.dotted, err = saltAndKey(tail)
	if err != nil {
		return nil, err
	}
	if length != 0 && int(length) != len(h.key) {
		return nil, errShort
	}
	size := digests[id]().Size()
	blocks := (len(h.key) + size - 1) / size // each is worked out on its own
	if uint64(rounds)*uint64(blocks) > b.pbkdf2 {
		return nil, errCostly
	}
	return h, nil
}

// pbkdf2Costs returns the rounds and the length of the key, 0 for none given.
func pbkdf2Costs(text string) (rounds, length uint32, err error) {
	first, last, two := strings.Cut(text, ",l=")
	digits, named := strings.CutPrefix(first, "i=")
	if rounds, err = number(digits); err != nil || rounds < 1 {
		return 0, 0, errParam
	}
	if !two {
		return rounds, 0, nil
	}
	if length, err = number(last); err != nil || length < 1 || !named {
		return 0, 0, errParam
	}
	return rounds, length, nil
}

func (h pbkdf2Hash) tells(pw string) bool { return hmacTells(pw) }

// hmacTells refuses what HMAC confuses as a key (RFC 2104 section 2): it is
// filled up with NULs, so "a" and "a\x00" are one. A key longer than a block
// counts as its digest, too; who can present that knew the password.
func hmacTells(pw string) bool { return !strings.HasSuffix(pw, "\x00") }

func (h pbkdf2Hash) matches(password []byte) bool {
	key, err := pbkdf2.Key(digests[h.scheme], string(password), h.salt, int(h.rounds), len(h.key))
	return err == nil && subtle.ConstantTimeCompare(key, h.key) == 1
}

func (h pbkdf2Hash) String() string {
	return fmt.Sprintf("$%s$%s$%s", h.scheme, h.costs, encodeSaltAndKey(h.salt, h.key, h.dotted))
}
