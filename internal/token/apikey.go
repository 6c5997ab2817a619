package token

import (
	"crypto/rand"
	"errors"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

const (
	// keyPrefix and keyLength are the form of the management API's keys.
	keyPrefix = "api_"
	keyLength = 24

	keyAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789"

	// MinKey is the least length of an imported key in bytes: 128 bits where
	// its bytes are random.
	MinKey = 16
	// MaxKey bounds an imported key in bytes, so that no key outgrows what a
	// client can put in a header.
	MaxKey = 1024
)

// NewKey makes an API key: "api_" and 24 characters of a-z and 0-9, 124
// random bits. prefix ("api_" and four characters) and lastFour are what may
// be shown of it afterwards.
func NewKey() (key auth.Secret, prefix, lastFour string) {
	text := keyPrefix + randomText(keyLength)
	return auth.NewSecret(text), text[:len(keyPrefix)+4], text[len(text)-4:]
}

// randomText draws n characters uniformly. A byte of 252 or more is drawn
// again: taken modulo 36 it would make the first four characters likelier.
func randomText(n int) string {
	const unbiased = 256 - 256%len(keyAlphabet)
	text := make([]byte, 0, n)
	var pool [2 * keyLength]byte
	for len(text) < n {
		_, _ = rand.Read(pool[:]) // documented never to return an error
		for _, b := range pool {
			if int(b) < unbiased && len(text) < n {
				text = append(text, keyAlphabet[int(b)%len(keyAlphabet)])
			}
		}
	}
	return string(text)
}

// DescribeKey returns what may be shown of any API key, e.g. of an imported
// one: a key made here is described as [NewKey] does; of any other its last
// four bytes and a prefix of at most four, together never more than a quarter
// of the key. Bytes that do not print show as "?". [auth.Malformed] for a key
// shorter than [MinKey] or longer than [MaxKey].
func DescribeKey(key auth.Secret) (prefix, lastFour string, err error) {
	text := key.Reveal()
	if len(text) < MinKey {
		return "", "", auth.Fail(auth.Malformed, auth.ReasonForm, errors.New("an API key needs at least 16 bytes"))
	}
	if len(text) > MaxKey {
		return "", "", auth.Fail(auth.Malformed, auth.ReasonTooLarge, errors.New("an API key has at most 1024 bytes"))
	}
	shown := min(4, len(text)/4-4)
	if isOwnKey(text) {
		shown = len(keyPrefix) + 4
	}
	return printable(text[:shown]), printable(text[len(text)-4:]), nil
}

func isOwnKey(text string) bool {
	if len(text) != len(keyPrefix)+keyLength || text[:len(keyPrefix)] != keyPrefix {
		return false
	}
	for _, c := range []byte(text[len(keyPrefix):]) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// printable keeps terminals and logs safe from what an imported key holds.
func printable(text string) string {
	b := []byte(text)
	for i, c := range b {
		if c <= 0x20 || c >= 0x7f {
			b[i] = '?'
		}
	}
	return string(b)
}
