package token

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Two fixed keys, so that fuzzing sees the same ring in every process.
const (
	firstKey  = "5f3a9c0e77b1d24886e5c0ffee1234567890abcdef13579bdf2468ace0fedcba"
	secondKey = "c1d2e3f405162738495a6b7c8d9eafb0c1e2d3f4a5b69788796a5b4c3d2e1f00"
)

func ringOf(t testing.TB, keys ...string) *Ring {
	t.Helper()
	r, err := ParseRing(RingFile{"keys", []byte(ringHeader + "\n" + strings.Join(keys, "\n"))})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func seal(t testing.TB, r *Ring, plain, associated string) []byte {
	t.Helper()
	sealed, err := r.Seal([]byte(plain), []byte(associated))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestRingOpensWhatItSealed(t *testing.T) {
	r := ringOf(t, firstKey)
	for _, plain := range []string{"", "x", strings.Repeat("long", 5000)} {
		sealed := seal(t, r, plain, "row")
		got, err := r.Open(sealed, []byte("row"))
		if err != nil || string(got) != plain {
			t.Fatalf("opened %q, %v", got, err)
		}
		if plain != "" && len(plain) > 8 && bytes.Contains(sealed, []byte(plain[:8])) {
			t.Fatal("the plain text shows")
		}
	}
	if bytes.Equal(seal(t, r, "same", "row"), seal(t, r, "same", "row")) {
		t.Error("two seals of one value are alike")
	}
}

func TestRingOpenRefuses(t *testing.T) {
	r := ringOf(t, firstKey)
	sealed := seal(t, r, "secret", "row 1")
	refused := func(what string, r *Ring, sealed []byte, associated string) {
		t.Helper()
		want := auth.Internal
		if id := SealedBy(sealed); id != "" && id != r.KeyIDs()[0] {
			want = auth.Unavailable // a gateway that has the key can answer
		}
		plain, err := r.Open(sealed, []byte(associated))
		if err == nil || plain != nil || auth.CodeOf(err) != want {
			t.Errorf("%s: %q, %v", what, plain, err)
		}
	}
	refused("another row", r, sealed, "row 2")
	refused("no row", r, sealed, "")
	refused("another ring", ringOf(t, secondKey), sealed, "row 1")
	for n := range sealed {
		refused("cut short", r, sealed[:n], "row 1")
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[n] ^= 1 << bit
			refused(fmt.Sprintf("bit %d of byte %d", bit, n), r, changed, "row 1")
		}
	}
	refused("a byte more", r, append(bytes.Clone(sealed), 0), "row 1")
}

func TestRingRotates(t *testing.T) {
	before, both, after := ringOf(t, firstKey), ringOf(t, secondKey, firstKey), ringOf(t, secondKey)
	old := seal(t, before, "old", "")
	if got, err := both.Open(old, nil); err != nil || string(got) != "old" {
		t.Errorf("after a rotation the old value opens as %q, %v", got, err)
	}
	fresh := seal(t, both, "new", "")
	if got, err := after.Open(fresh, nil); err != nil || string(got) != "new" {
		t.Errorf("the new first key did not seal: %q, %v", got, err)
	}
	if _, err := before.Open(fresh, nil); err == nil {
		t.Error("the new value opens under the old key")
	}
	if both.MAC("code") != after.MAC("code") || both.MACs("code")[1] != before.MAC("code") {
		t.Error("a MAC made before the rotation is not among those looked up after it")
	}
}

func TestBindTellsPartsApart(t *testing.T) {
	lists := [][]string{{}, {""}, {"", ""}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {"a", "b", "c"}, {"abc", ""}, {"", "abc"}, {"a", "b"}, {"a\x00b"}}
	r := ringOf(t, firstKey)
	bound, sums := map[string]bool{}, map[[32]byte]bool{}
	for _, l := range lists {
		bound[string(Bind(l...))] = true
		sums[r.MAC(l...)] = true
	}
	if len(bound) != len(lists) || len(sums) != len(lists) {
		t.Errorf("%d different bindings and %d MACs of %d lists", len(bound), len(sums), len(lists))
	}
}

func TestRingPrintsNothing(t *testing.T) {
	r := ringOf(t, firstKey)
	holder := struct {
		Ring   *Ring
		hidden *Ring
		Value  Ring
		inside Ring
	}{r, r, *r, *r}
	var all strings.Builder
	for _, v := range []any{r, *r, holder, &holder, NewSigners(nil, r, nil)} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%v %+v %#v %s %q %x %d %s\n", v, v, v, v, v, v, v, text)
	}
	written, _ := hex.DecodeString(firstKey)
	derived, _ := hkdf.Key(sha256.New, written, nil, "gatehouse key ring v1", 72)
	for at := ringIDLen; at < len(derived); at += 8 {
		for _, secret := range [][]byte{derived[at : at+8], written[at%32 : at%32+8]} {
			for _, form := range []string{"%x", "%X", "%d", "%v", "%#v", "%q"} {
				if text := strings.Trim(fmt.Sprintf(form, secret), "[]{}"); strings.Contains(all.String(), text) {
					t.Errorf("key bytes show as %s", form)
				}
			}
		}
	}
	if !strings.Contains(all.String(), auth.Redacted) {
		t.Error("nothing says that something was left out")
	}
	if text, err := json.Marshal(r); err != nil || string(text) != `"`+auth.Redacted+`"` {
		t.Errorf("JSON is %s, %v", text, err)
	}
}

func TestNewRingIsReadable(t *testing.T) {
	one, other := NewRing(), NewRing()
	if bytes.Equal(one, other) {
		t.Fatal("two rings have one key")
	}
	r, err := ParseRing(RingFile{"one", one}, RingFile{"other", other})
	if err != nil || len(r.keys) != 2 {
		t.Fatalf("parse: %v", err)
	}
	alone, err := ParseRing(RingFile{"one", one})
	if err != nil || alone.MAC("x") != r.MAC("x") {
		t.Errorf("the first key of the first file is not the first: %v", err)
	}
}

func TestParseRingTakes(t *testing.T) {
	for name, text := range map[string]string{
		"comments, blank lines and spaces": "# one\n\n  " + ringHeader + "  \n\t# two\n  " + firstKey + "\t\n\n",
		"lines that end in CR LF":          ringHeader + "\r\n" + firstKey + "\r\n",
		"no newline at the end":            ringHeader + "\n" + firstKey,
		"upper-case digits":                ringHeader + "\n" + strings.ToUpper(firstKey) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			r, err := ParseRing(RingFile{"keys", []byte(text)})
			if err != nil || r.MAC("x") != ringOf(t, firstKey).MAC("x") {
				t.Errorf("parse: %v", err)
			}
		})
	}
}

func TestParseRingRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"an empty file", "", `keys: a key file begins with the line "gatehouse-key-ring 1"`},
		{"comments only", "# x\n", `keys: a key file begins with the line "gatehouse-key-ring 1"`},
		{"a key without the header", "\n" + firstKey, `keys:2: the first line of a key file is "gatehouse-key-ring 1"`},
		{"a later version", "gatehouse-key-ring 2\n" + firstKey, `keys:1: the first line of a key file is "gatehouse-key-ring 1"`},
		{"no key", ringHeader, "a key ring needs at least one key"},
		{"a short key", ringHeader + "\n" + firstKey[2:], "keys:2: a key is 64 hex digits, this line has 62 characters"},
		{"a long key", ringHeader + "\n" + firstKey + "00", "keys:2: a key is 64 hex digits, this line has 66 characters"},
		{"two keys on a line", ringHeader + "\n" + firstKey + " " + secondKey, "keys:2: a key is 64 hex digits, this line has 129 characters"},
		{"a key that is not hex", ringHeader + "\n\n" + firstKey[:63] + "g", "keys:3: a key is 64 hex digits, this line has another character"},
		{"zeros", ringHeader + "\n" + strings.Repeat("0", 64), "keys:2: this key repeats itself, make one from random bytes"},
		{"digits in turn", ringHeader + "\n" + strings.Repeat("0123456789abcdef", 4), "keys:2: this key repeats itself, make one from random bytes"},
		{"one key twice", ringHeader + "\n" + firstKey + "\n" + secondKey + "\n" + strings.ToUpper(firstKey), "keys:4: this key is already at keys:2"},
		{"the header twice", ringHeader + "\n" + ringHeader, "keys:2: a key is 64 hex digits, this line has 20 characters"},
		{"a large file", ringHeader + "\n" + strings.Repeat("#", maxRingFile), "keys: a key file has at most 65536 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := ParseRing(RingFile{"keys", []byte(c.text)})
			if r != nil || err == nil || err.Error() != c.want {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
	text := []byte(ringHeader + "\n" + firstKey)
	if _, err := ParseRing(RingFile{"a", text}, RingFile{"b", text}); err == nil || err.Error() != "b:2: this key is already at a:2" {
		t.Errorf("one key in two files: %v", err)
	}
	if _, err := ParseRing(); err == nil {
		t.Error("no file is a ring")
	}
}

func FuzzParseRing(f *testing.F) {
	f.Add([]byte(ringHeader + "\n" + firstKey + "\n# x\n" + secondKey))
	f.Add(NewRing())
	f.Add([]byte(ringHeader + "\n" + firstKey[1:]))
	f.Add([]byte(firstKey))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseRing(RingFile{"keys", text})
		if (r == nil) == (err == nil) {
			t.Fatal("neither an error nor a ring, or both")
		}
		if err != nil {
			for _, word := range strings.Fields(string(text)) {
				if len(word) >= 24 && strings.Contains(err.Error(), word) {
					t.Fatalf("the error quotes the file: %v", err)
				}
			}
			return
		}
		again, err := ParseRing(RingFile{"keys", text})
		if err != nil {
			t.Fatal(err)
		}
		if plain, err := again.Open(seal(t, r, "x", "y"), []byte("y")); err != nil || string(plain) != "x" {
			t.Fatalf("read twice it does not open: %v", err)
		}
	})
}
