// Package mostused knows the passwords that are tried first: the 3,000 most
// used ones of at least eight bytes, counted in public leaks, as OWASP's ASVS
// (6.2.4) wants them refused. It holds no password: the list is kept as sorted
// digests, and a password that is shorter is for its caller to refuse.
//
// The order of use is that of passwords.txt of zxcvbn (Dan Wheeler and Dropbox,
// MIT licence). The digests are made anew from it by
//
//	GATEHOUSE_CORPORA=… go test ./internal/password/mostused -update
//
// where zxcvbn-passwords/passwords.txt lies in the folder that is named.
package mostused

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"sort"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

const (
	// Count is how many passwords are known.
	Count = 3000
	// MinLength is the least length in bytes of those.
	MinLength = 8
)

// digestSize is how much is kept of a SHA-256: enough that no other password
// is ever taken for one of these.
const digestSize = 8

//go:embed digests.bin
var digests []byte

// Has reports whether a password is one of the most used, in whatever case.
func Has(password auth.Secret) bool {
	want := digestOf(password.Reveal())
	at := func(i int) []byte { return digests[i*digestSize : (i+1)*digestSize] }
	n := len(digests) / digestSize
	i := sort.Search(n, func(i int) bool { return bytes.Compare(at(i), want) >= 0 })
	return i < n && bytes.Equal(at(i), want)
}

// digestOf is what is kept of a password. Cases are the first thing that a
// guesser varies.
func digestOf(password string) []byte {
	sum := sha256.Sum256([]byte(strings.ToLower(password)))
	return sum[:digestSize]
}
