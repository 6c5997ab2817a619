package token

import (
	"strings"
	"testing"
)

var sample = [16]byte{0xa4, 0x5a, 0x03, 0x9c, 0xeb, 0x31, 0x46, 0xf1, 0x9e, 0xce, 0x88, 0xaa, 0x5c, 0xcf, 0xe2, 0x2c}

var forms = []struct {
	name  string
	write func([16]byte) string
	parse func(string) (string, bool)
	want  string
}{
	{"opaque", Opaque, ParseOpaque, "ght_pFoDnOsxRvGezoiqXM_iLA"},
	{"guid", GUID, ParseGUID, "a45a039c-eb31-46f1-9ece-88aa5ccfe22c"},
	{"upper hex", UpperHex, ParseUpperHex, "A45A039CEB3146F19ECE88AA5CCFE22C"},
	{"lower hex", LowerHex, ParseLowerHex, "a45a039ceb3146f19ece88aa5ccfe22c"},
}

func TestForms(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name+" is written and read back", func(t *testing.T) {
			if got := f.write(sample); got != f.want {
				t.Fatalf("wrote %q, want %q", got, f.want)
			}
			if got, ok := f.parse(f.want); !ok || got != f.want {
				t.Fatalf("parse = %q, %v", got, ok)
			}
		})
	}
}

func TestFormsKeepEveryRandomBit(t *testing.T) {
	for _, f := range forms {
		for bit := range 128 {
			flipped := sample
			flipped[bit/8] ^= 1 << (bit % 8)
			if f.write(flipped) == f.want {
				t.Fatalf("%s: bit %d does not show", f.name, bit)
			}
		}
	}
}

func TestParseGUIDFoldsUpperCase(t *testing.T) {
	if got, ok := ParseGUID("A45A039C-EB31-46F1-9ece-88AA5CCFE22C"); !ok || got != forms[1].want {
		t.Fatalf("parse = %q, %v", got, ok)
	}
}

func TestFormsRefuseOtherSpellings(t *testing.T) {
	for _, f := range forms {
		bad := []string{
			"", " " + f.want, f.want + " ", f.want + "\n", f.want + "0", f.want[1:], f.want[:len(f.want)-1],
			strings.Repeat("z", len(f.want)), strings.Replace(f.want, "a", "ａ", 1) + "!", f.want + "=",
			strings.Repeat("-", len(f.want)), strings.Repeat("\x00", len(f.want)),
		}
		for _, text := range bad {
			if got, ok := f.parse(text); ok || got != "" {
				t.Errorf("%s takes %q as %q", f.name, text, got)
			}
		}
	}
	for what, taken := range map[string]func() bool{
		"a GUID in braces":          func() bool { return parsed(ParseGUID("{a45a039c-eb31-46f1-9ece-88aa5ccfe2}")) },
		"a GUID without hyphens":    func() bool { return parsed(ParseGUID(forms[3].want)) },
		"a GUID as a urn":           func() bool { return parsed(ParseGUID("urn:uuid:" + forms[1].want)) },
		"a GUID with a hyphen off":  func() bool { return parsed(ParseGUID("a45a039ceb-31-46f1-9ece-88aa5ccfe22c")) },
		"upper hex in lower case":   func() bool { return parsed(ParseUpperHex(forms[3].want)) },
		"lower hex in upper case":   func() bool { return parsed(ParseLowerHex(forms[2].want)) },
		"opaque with trailing bits": func() bool { return parsed(ParseOpaque("ght_pFoDnOsxRvGezoiqXM_iLB")) },
		"opaque of another case":    func() bool { return parsed(ParseOpaque("GHT_pFoDnOsxRvGezoiqXM_iLA")) },
		"opaque in plain base64":    func() bool { return parsed(ParseOpaque("ght_pFoDnOsxRvGezoiqXM/iLA")) },
		"opaque with line breaks":   func() bool { return parsed(ParseOpaque("ght_pFoDnOsxRvGe\r\nzoiqXM_i")) },
	} {
		if taken() {
			t.Error(what + " is taken")
		}
	}
}

func parsed(_ string, ok bool) bool { return ok }

func TestRandomAndIDsDiffer(t *testing.T) {
	seen := map[string]bool{}
	const n = 1000
	for range n {
		seen[LowerHex(Random())] = true
		seen[NewUnitID()] = true
		seen[NewID()] = true
	}
	if len(seen) != 3*n {
		t.Fatalf("%d different of %d", len(seen), 3*n)
	}
	if _, ok := ParseUpperHex(NewUnitID()); !ok {
		t.Error("a unit id is not 32 upper-case hex digits")
	}
	if canonical, ok := ParseGUID(NewID()); !ok || canonical[14] != '4' {
		t.Error("an id is not a version 4 UUID")
	}
}

// Each of the 128 bits is set in about half of the draws: 8 sigma either way.
func TestRandomHasNoBias(t *testing.T) {
	const n = 4096
	var ones [128]int
	for range n {
		r := Random()
		for bit := range ones {
			ones[bit] += int(r[bit/8] >> (bit % 8) & 1)
		}
	}
	for bit, count := range ones {
		if count < n/2-256 || count > n/2+256 {
			t.Errorf("bit %d was set %d times of %d", bit, count, n)
		}
	}
}

func FuzzForms(f *testing.F) {
	for _, form := range forms {
		f.Add(form.want)
		f.Add(strings.ToUpper(form.want))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, form := range forms {
			canonical, ok := form.parse(text)
			if ok != (canonical != "") {
				t.Fatalf("%s: %q, %v", form.name, canonical, ok)
			}
			if !ok {
				continue
			}
			if again, ok := form.parse(canonical); !ok || again != canonical {
				t.Fatalf("%s: canonical %q reads as %q", form.name, canonical, again)
			}
			if !strings.EqualFold(text, canonical) {
				t.Fatalf("%s: %q became %q", form.name, text, canonical)
			}
		}
	})
}
