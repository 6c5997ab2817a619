package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/policy"
)

// spellings are the words of allow, and what each sets.
var spellings = map[string]func(*policy.Reader){
	"backslash":     func(d *policy.Reader) { d.Backslash = true },
	"double_slash":  func(d *policy.Reader) { d.DoubleSlash = true },
	"encoded_slash": func(d *policy.Reader) { d.EncodedSlash = true },
	"semicolon":     func(d *policy.Reader) { d.Semicolon = true },
}

// build returns how paths are read as the gateway takes it; nil is the default.
func (p *Paths) build() (policy.Reader, error) {
	if p == nil {
		return policy.Reader{}, nil
	}
	if !p.CaseInsensitive && len(p.Allow) == 0 {
		return policy.Reader{}, errors.New("paths says nothing: it takes case_insensitive and allow")
	}
	built := policy.Reader{FoldCase: p.CaseInsensitive}
	for i, word := range p.Allow {
		set, ok := spellings[word]
		if !ok {
			return policy.Reader{}, fmt.Errorf("allow %q: it can be %s", word, alternatives(slices.Sorted(maps.Keys(spellings))))
		}
		if slices.Contains(p.Allow[:i], word) {
			return policy.Reader{}, fmt.Errorf("allow %s stands twice", word)
		}
		set(&built)
	}
	return built, nil
}
