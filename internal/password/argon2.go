package password

import (
	"crypto/subtle"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	argon2id = "argon2id"
	// argon2v13 is the version of RFC 9106 and the only one that can be
	// computed here; a string without a version is of an older one.
	argon2v13 = "v=19"
)

// argon2Cost is memory in KiB, passes and lanes (RFC 9106 section 3.1).
type argon2Cost struct {
	memory, time uint32
	lanes        uint8
}

func (c argon2Cost) work() uint64 { return uint64(c.memory) * uint64(c.time) }

// argon2Hash is `$argon2id$v=19$m=…,t=…,p=…$salt$key`, or argon2i.
type argon2Hash struct {
	scheme    string
	cost      argon2Cost
	salt, key []byte
}

func parseArgon2(id, rest string, b bounds) (hash, error) {
	version, rest, ok := strings.Cut(rest, "$")
	if version != argon2v13 {
		return nil, errVersion
	}
	costs, tail, more := strings.Cut(rest, "$")
	if !ok || !more {
		return nil, errForm
	}
	cost, err := parseArgon2Cost(costs, b)
	if err != nil {
		return nil, err
	}
	salt, key, dotted, err := saltAndKey(tail)
	if err != nil {
		return nil, err
	}
	if dotted {
		return nil, errEncode
	}
	return argon2Hash{scheme: id, cost: cost, salt: salt, key: key}, nil
}

func parseArgon2Cost(text string, b bounds) (argon2Cost, error) {
	v, err := params(text, "m", "t", "p")
	if err != nil {
		return argon2Cost{}, err
	}
	memory, time, lanes := v[0], v[1], v[2]
	if lanes > b.lanes || uint64(memory) > b.memoryKiB {
		return argon2Cost{}, errCostly
	}
	if time < 1 || lanes < 1 || memory < 8*lanes {
		return argon2Cost{}, errParam
	}
	cost := argon2Cost{memory: memory, time: time, lanes: uint8(lanes)}
	if cost.work() > b.argon2 {
		return argon2Cost{}, errCostly
	}
	return cost, nil
}

func (h argon2Hash) tells(string) bool { return true }

func (h argon2Hash) matches(password []byte) bool {
	return subtle.ConstantTimeCompare(h.derive(password, len(h.key)), h.key) == 1
}

func (h argon2Hash) derive(password []byte, length int) []byte {
	derive := argon2.Key
	if h.scheme == argon2id {
		derive = argon2.IDKey
	}
	return derive(password, h.salt, h.cost.time, h.cost.memory, h.cost.lanes, uint32(length))
}

// weaker reports whether the hash costs an attacker less than want would:
// another scheme, less memory, or less memory over all passes. Fewer passes
// over more memory is not less.
func (h argon2Hash) weaker(want argon2Cost) bool {
	return h.scheme != argon2id || h.cost.memory < want.memory || h.cost.work() < want.work() ||
		len(h.salt) < saltLength || len(h.key) < keyLength
}

func (h argon2Hash) String() string {
	return fmt.Sprintf("$%s$%s$m=%d,t=%d,p=%d$%s", h.scheme, argon2v13,
		h.cost.memory, h.cost.time, h.cost.lanes, encodeSaltAndKey(h.salt, h.key, false))
}
