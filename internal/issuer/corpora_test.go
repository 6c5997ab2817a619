package issuer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// wycheproof reads a file of third-party vectors; the folder is not part of the
// repository.
func wycheproof(t *testing.T, name string) (v vectors) {
	t.Helper()
	root := os.Getenv("GATEHOUSE_CORPORA")
	if root == "" {
		t.Skip("GATEHOUSE_CORPORA is not set")
	}
	text, err := os.ReadFile(filepath.Join(root, "wycheproof", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

type vectors struct {
	Groups []struct {
		Comment         string
		Private, Public map[string]any
		Tests           []struct {
			ID      int `json:"tcId"`
			Comment string
			// JWS is a string or, serialised as JSON, an object.
			JWS    json.RawMessage
			Result string
			Flags  []string
		}
	} `json:"testGroups"`
}

// published is the set of a group's keys as an issuer would publish them.
func published(t *testing.T, private, public map[string]any) *set {
	t.Helper()
	if public == nil {
		public = private
	}
	list, ok := public["keys"].([]any)
	if !ok {
		list = []any{public}
	}
	for _, k := range list {
		if jwk := k.(map[string]any); jwk["kty"] != "oct" {
			for _, name := range secretMembers {
				delete(jwk, name)
			}
		}
	}
	s, err := newSet(jsonOf(t, map[string]any{"keys": list}), start)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signedIn reports whether a key of the set signed a text that is a JWS in its
// compact serialisation.
func signedIn(s *set, text string) bool {
	if !MayRead(text) {
		return false
	}
	u := &Token{}
	u.head, u.payload, u.signature = split(text)
	h, err := u.header()
	if err != nil || methods[h.algorithm] == nil {
		return false
	}
	if _, err := unwrap(u.payload); err != nil {
		return false
	}
	sum, err := unwrap(u.signature)
	k, _ := s.find(h)
	return err == nil && u.signedBy(k, h, sum)
}

func TestWycheproofSignatures(t *testing.T) {
	for name, least := range map[string][2]int{"json_web_signature_test.json": {25, 150}, "json_web_key_test.json": {0, 15}} {
		t.Run(name, func(t *testing.T) {
			accepted, refused := 0, 0
			texts := map[string]bool{} // some invalid vectors repeat a valid one to the byte
			for _, g := range wycheproof(t, name).Groups {
				keys := published(t, g.Private, g.Public)
				for _, v := range g.Tests {
					var text string
					_ = json.Unmarshal(v.JWS, &text) // one that is an object is none
					ok := signedIn(keys, text)
					switch {
					case ok && (v.Result == "valid" || texts[text]):
						accepted++
						texts[text] = true
					case ok:
						t.Errorf("%s %d (%s) is accepted", g.Comment, v.ID, v.Comment)
					case v.Result != "valid" || v.Comment == "Figure20" || mayRefuse(text, keys, g.Public):
						refused++
					default:
						t.Errorf("%s %d (%s) is refused", g.Comment, v.ID, v.Comment)
					}
				}
			}
			t.Logf("accepted %d, refused %d", accepted, refused)
			if accepted < least[0] || refused < least[1] {
				t.Errorf("accepted %d, refused %d: the vectors were not read", accepted, refused)
			}
		})
	}
}

// mayRefuse names the valid vectors that are no token here: an empty payload, a
// text with characters to skip, a shared secret, and "ES521", which is no
// algorithm. Figure20 of RFC 7520 is signed with PS384 under a key that the
// vectors give for PS256.
func mayRefuse(text string, keys *set, public map[string]any) bool {
	return strings.Contains(text, "..") || strings.Contains(text, "?") || len(keys.keys) == 0 &&
		(public == nil || slices.Contains([]any{"ES521", "HS256"}, public["alg"]))
}
