package password

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// maxPHC bounds a stored string; the longest that a scheme here writes is
// about 250 bytes.
const maxPHC = 512

// The causes of a refusal. None quotes the string: who imports a file with the
// wrong column may be handing us passwords.
var (
	errEmpty   = errors.New("the password is empty")
	errLong    = errors.New("the password is longer than 1024 bytes")
	errNoPHC   = errors.New("the password hash does not start with $ and a scheme")
	errScheme  = errors.New("the password hash is of a scheme that cannot be verified")
	errVersion = errors.New("the password hash is of a version that cannot be verified")
	errForm    = errors.New("the password hash lacks a part or has one too many")
	errParam   = errors.New("the password hash has parameters that cannot be read")
	errEncode  = errors.New("the password hash has a salt or key that is not base64 without padding")
	errShort   = errors.New("the password hash has a salt or key of a length that is not accepted")
	errCostly  = errors.New("the password hash asks for more work or memory than is allowed")
)

// hash is a stored password hash.
type hash interface {
	// tells reports whether the scheme can tell pw from every other password.
	// It depends on pw alone.
	tells(pw string) bool
	// matches derives a key from the password, which is the work, and compares
	// it in constant time.
	matches(password []byte) bool
	// String returns the hash as it is stored.
	String() string
}

// schemes maps the first part of a stored string to the reader of the rest.
var schemes = map[string]func(id, rest string, b bounds) (hash, error){
	"argon2id":      parseArgon2,
	"argon2i":       parseArgon2,
	"2a":            parseBcrypt,
	"2b":            parseBcrypt,
	"2y":            parseBcrypt,
	"scrypt":        parseScrypt,
	"pbkdf2":        parsePBKDF2,
	"pbkdf2-sha1":   parsePBKDF2,
	"pbkdf2-sha256": parsePBKDF2,
	"pbkdf2-sha512": parsePBKDF2,
}

// parse reads a stored string: `$scheme$…`. What it accepts is written again
// as exactly the same string.
func parse(phc string, b bounds) (hash, error) {
	h, err := read(phc, b)
	switch {
	case err == nil:
		return h, nil
	case errors.Is(err, errScheme) || errors.Is(err, errVersion):
		return nil, auth.Fail(auth.Malformed, auth.ReasonUnsupported, err)
	case errors.Is(err, errCostly):
		return nil, auth.Fail(auth.Malformed, auth.ReasonTooLarge, err)
	}
	return nil, auth.Fail(auth.Malformed, auth.ReasonForm, err)
}

func read(phc string, b bounds) (hash, error) {
	if len(phc) > maxPHC {
		return nil, errForm
	}
	text, dollar := strings.CutPrefix(phc, "$")
	id, rest, more := strings.Cut(text, "$")
	if !dollar || !more {
		return nil, errNoPHC
	}
	scheme, ok := schemes[id]
	if !ok {
		return nil, errScheme
	}
	return scheme(id, rest, b)
}

// params reads `a=1,b=2`: all of names, in that order, decimal without sign or
// leading zero, as the PHC format has it.
func params(text string, names ...string) ([]uint32, error) {
	fields := strings.Split(text, ",")
	if len(fields) != len(names) {
		return nil, errParam
	}
	values := make([]uint32, len(names))
	for i, field := range fields {
		digits, ok := strings.CutPrefix(field, names[i]+"=")
		if !ok {
			return nil, errParam
		}
		value, err := number(digits)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, nil
}

func number(digits string) (uint32, error) {
	value, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || strconv.FormatUint(value, 10) != digits {
		return 0, errParam
	}
	return uint32(value), nil
}

// encoding is base64 without padding whose last character has no stray bits:
// each value has one spelling. passlib writes a dot for the plus.
var encoding = base64.RawStdEncoding.Strict()

// The lengths of a salt and a key. A key under 128 bits is found by trying
// passwords until any fits.
const (
	maxSalt = 64
	minKey  = 16
	maxKey  = 64
)

// saltAndKey reads the last two parts, `salt$key`. dotted tells passlib's
// alphabet: a text with both a dot and a plus is neither.
func saltAndKey(text string) (salt, key []byte, dotted bool, err error) {
	dotted = strings.Contains(text, ".")
	if strings.ContainsAny(text, "\r\n") || dotted && strings.Contains(text, "+") {
		return nil, nil, false, errEncode
	}
	a, b, two := strings.Cut(strings.ReplaceAll(text, ".", "+"), "$")
	if !two {
		return nil, nil, false, errForm
	}
	if salt, err = encoding.DecodeString(a); err != nil {
		return nil, nil, false, errEncode
	}
	if key, err = encoding.DecodeString(b); err != nil {
		return nil, nil, false, errEncode
	}
	if len(salt) < 1 || len(salt) > maxSalt || len(key) < minKey || len(key) > maxKey {
		return nil, nil, false, errShort
	}
	return salt, key, dotted, nil
}

func encodeSaltAndKey(salt, key []byte, dotted bool) string {
	text := encoding.EncodeToString(salt) + "$" + encoding.EncodeToString(key)
	if dotted {
		return strings.ReplaceAll(text, "+", ".")
	}
	return text
}
