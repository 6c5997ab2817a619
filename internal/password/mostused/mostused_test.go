package mostused

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

var update = flag.Bool("update", false, "make digests.bin anew from the corpus")

func TestTheMostUsedAreKnownInAnyCase(t *testing.T) {
	for _, p := range []string{"password", "PASSWORD", "PassWord", "12345678", "123456789", "iloveyou", "Princess", "Sunshine", "Football"} {
		if !Has(auth.NewSecret(p)) {
			t.Errorf("%s passed", p)
		}
	}
}

func TestOtherPasswordsAreNot(t *testing.T) {
	for _, p := range []string{"", "correct horse battery", "password ", " password", "pass\x00word", "passwordpasswordpassword", strings.Repeat("password", 100)} {
		if Has(auth.NewSecret(p)) {
			t.Errorf("%q did not pass", p)
		}
	}
}

func TestTheDigestsAreSortedAndAllThere(t *testing.T) {
	if len(digests) != Count*digestSize {
		t.Fatalf("%d bytes of digests, want %d", len(digests), Count*digestSize)
	}
	for i := digestSize; i < len(digests); i += digestSize {
		if bytes.Compare(digests[i-digestSize:i], digests[i:i+digestSize]) >= 0 {
			t.Fatalf("digest %d is out of order", i/digestSize)
		}
	}
}

// TestEveryMostUsedPasswordIsKnown replays the list that the digests are of.
// It also makes them.
func TestEveryMostUsedPasswordIsKnown(t *testing.T) {
	list := corpus(t)
	if *update {
		if err := os.WriteFile("digests.bin", packed(list), 0o644); err != nil { //nolint:gosec // a file of this repository
			t.Fatal(err)
		}
		t.Skip("digests.bin is new: run the test again without -update")
	}
	for _, p := range list {
		if !Has(auth.NewSecret(p)) || !Has(auth.NewSecret(strings.ToUpper(p))) {
			t.Errorf("%s passed", p)
		}
	}
	if !bytes.Equal(digests, packed(list)) {
		t.Error("digests.bin is not of this list")
	}
}

// corpus returns the most used passwords of the length that counts.
func corpus(t *testing.T) (list []string) {
	t.Helper()
	root := os.Getenv("GATEHOUSE_CORPORA")
	if root == "" {
		t.Skip("NOT TESTED, for want of GATEHOUSE_CORPORA: that every one of the most used passwords is known")
	}
	text, err := os.ReadFile(filepath.Join(root, "zxcvbn-passwords", "passwords.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 2 && len(fields[0]) >= MinLength {
			list = append(list, fields[0])
		}
		if len(list) == Count {
			return list
		}
	}
	t.Fatalf("the corpus has only %d passwords of %d bytes", len(list), MinLength)
	return nil
}

// packed is digests.bin for a list.
func packed(list []string) []byte {
	all := make([][]byte, len(list))
	for i, p := range list {
		all[i] = digestOf(p)
	}
	slices.SortFunc(all, bytes.Compare)
	return bytes.Join(all, nil)
}
