package issuer

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
)

// Trust is the issuers of one site.
type Trust struct {
	id    [sha256.Size]byte
	byURL map[string]*Issuer
}

// NewTrust checks the issuers of a site; nil stands for none.
func NewTrust(configs []Config) (*Trust, error) {
	if len(configs) == 0 {
		return nil, nil
	}
	t := &Trust{byURL: map[string]*Issuer{}}
	for _, c := range configs {
		i, err := New(c)
		if err != nil {
			return nil, fmt.Errorf("trust %s: %w", c.URL, err)
		}
		if t.byURL[c.URL] != nil {
			return nil, fmt.Errorf("trust %s stands twice", c.URL)
		}
		t.byURL[c.URL] = i
	}
	text, err := json.Marshal(configs) // maps are written in order
	if err != nil {
		return nil, err
	}
	t.id = sha256.Sum256(text)
	return t, nil
}

// ID is the digest of all that the site trusts: a verdict that was found under
// one counts nowhere else.
func (t *Trust) ID() [sha256.Size]byte { return t.id }

// MayRead reports whether a text has the form of a JWT in its compact
// serialisation (RFC 7515 section 7.1).
func MayRead(text string) bool { return len(text) <= MaxToken && strings.Count(text, ".") == 2 }

// Read returns the issuer that a token says it is of, unverified; nil where it
// is of none that is trusted.
func (t *Trust) Read(text string) *Token {
	if !MayRead(text) {
		return nil
	}
	u := &Token{}
	u.head, u.payload, u.signature = split(text)
	claims, err := segment(u.payload)
	if err != nil {
		return nil
	}
	iss, _ := claims["iss"].(string)
	u.claims, u.issuer = claims, t.byURL[iss]
	if u.issuer == nil {
		return nil
	}
	return u
}
