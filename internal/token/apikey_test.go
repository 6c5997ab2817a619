package token

import (
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func TestNewKeyHasTheFormOfTheContract(t *testing.T) {
	form := regexp.MustCompile(`^api_[a-z0-9]{24}$`)
	seen := map[string]bool{}
	for range 500 {
		key, prefix, last := NewKey()
		text := key.Reveal()
		if !form.MatchString(text) || seen[text] {
			t.Fatal("a new key has the wrong form or came twice")
		}
		seen[text] = true
		if prefix != text[:8] || last != text[24:] {
			t.Fatalf("shown as %q and %q", prefix, last)
		}
		if p, l, err := DescribeKey(key); err != nil || p != prefix || l != last {
			t.Fatalf("described as %q, %q, %v", p, l, err)
		}
	}
}

// 72,000 characters, 2,000 of each expected, sigma 44: a draw modulo 36 of
// whole bytes would give a-d 2,250, 5.6 sigma more.
func TestNewKeyDrawsUniformly(t *testing.T) {
	counts := map[rune]int{}
	for range 3000 {
		for _, c := range randomText(keyLength) {
			counts[c]++
		}
	}
	if len(counts) != 36 {
		t.Fatalf("%d different characters", len(counts))
	}
	early := counts['a'] + counts['b'] + counts['c'] + counts['d']
	if early < 8000-450 || early > 8000+450 {
		t.Errorf("the first four characters came %d times of 8000 expected", early)
	}
	for c, n := range counts {
		if n < 2000-310 || n > 2000+310 {
			t.Errorf("%q came %d times of 2000 expected", c, n)
		}
	}
}

func TestDescribeKey(t *testing.T) {
	for _, c := range []struct{ name, key, prefix, last string }{
		{"sixteen bytes show the last four only", "0123456789abcdef", "", "cdef"},
		{"twenty bytes show one more", "0123456789abcdefghij", "0", "ghij"},
		{"a long key shows four and four", strings.Repeat("k", 60) + "9876", "kkkk", "9876"},
		{"base64 of 16 bytes", "hDn/LFXIPESM036W+s7VKg==", "hD", "Kg=="},
		{"what does not print is masked", "\x1b[31m6789abcdefghijklmnopqrs\x00\xffé", "?[31", "????"},
		{"the prefix of a key made here, in another alphabet", "api_ABCDEFGHIJKLMNOPQRSTUVWX", "api", "UVWX"},
	} {
		t.Run(c.name, func(t *testing.T) {
			prefix, last, err := DescribeKey(auth.NewSecret(c.key))
			if err != nil || prefix != c.prefix || last != c.last {
				t.Errorf("shown as %q and %q, %v", prefix, last, err)
			}
		})
	}
}

func TestDescribeKeyRefusesWhatIsNoKey(t *testing.T) {
	for _, n := range []int{0, 1, MinKey - 1, MaxKey + 1} {
		prefix, last, err := DescribeKey(auth.NewSecret(strings.Repeat("s", n)))
		if err == nil || auth.CodeOf(err) != auth.Malformed || prefix+last != "" {
			t.Errorf("%d bytes: %q, %q, %v", n, prefix, last, err)
		}
	}
}

func TestDescribeKeyShowsAtMostAQuarterOfAnImportedKey(t *testing.T) {
	for n := MinKey; n <= MaxKey; n++ {
		prefix, last, err := DescribeKey(auth.NewSecret(strings.Repeat("s", n)))
		if err != nil || 4*len(prefix+last) > n {
			t.Fatalf("%d bytes: %q, %q, %v", n, prefix, last, err)
		}
	}
}
