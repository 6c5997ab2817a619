package caddymodule

import (
	"cmp"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// trust reads
//
//	trust <issuer URL> {
//	    audience   <text…>
//	    jwks       <address>
//	    algorithms <name…>
//	    type       <typ…>
//	    claim      <name> <placeholder>
//	}
//
// A token must name one of the audiences; claim may be repeated.
func (b *siteBlock) trust() error {
	b.trustAt = b.Token()
	url, err := oneArg(b.Dispenser, "trust <issuer URL> { … }")
	if err != nil {
		return err
	}
	t := Trust{Issuer: url}
	if err := t.checkSoFar(); err != nil {
		return errAt(b.trustAt, err)
	}
	seen := map[string]bool{}
	for nesting := b.Nesting(); b.NextBlock(nesting); {
		word := b.Val()
		if seen[word] && word != "claim" {
			return b.Errf("%s stands twice", word)
		}
		seen[word] = true
		if err := t.line(b.Dispenser); err != nil {
			return err
		}
	}
	b.handler.Trust = append(b.handler.Trust, t)
	_, err = trusted(b.handler.Trust) // what lines say together
	if err != nil {
		return errAt(b.trustAt, err)
	}
	return nil
}

// trustLines says how each line of trust is written.
var trustLines = map[string]string{
	"audience":   "audience <text…>",
	"jwks":       "jwks <address>",
	"algorithms": "algorithms <name…>",
	"type":       "type <typ…>",
	"claim":      "claim <name> <placeholder>",
}

// line reads one line of a trust block.
func (t *Trust) line(d *caddyfile.Dispenser) (err error) {
	word := d.Val()
	form, known := trustLines[word]
	if !known {
		return unknownWord(d, "trust", []string{"audience", "jwks", "algorithms", "type", "claim"})
	}
	args := d.RemainingArgs()
	switch word {
	case "audience":
		t.Audiences = args
	case "algorithms":
		t.Algorithms = args
	case "type":
		t.Types = args
	case "jwks":
		if len(args) == 1 {
			t.JWKS = args[0]
		} else {
			args = nil
		}
	case "claim":
		if len(args) == 2 {
			return t.claim(d, args[0], args[1])
		}
		args = nil
	}
	if len(args) == 0 || slices.Contains(args, "") {
		return wrongCount(d, form)
	}
	return located(d, t.checkSoFar())
}

func (t *Trust) claim(d *caddyfile.Dispenser, name, placeholder string) error {
	if _, ok := t.Claims[name]; ok {
		return d.Errf("claim %s stands twice", name)
	}
	if t.Claims == nil {
		t.Claims = map[string]string{}
	}
	t.Claims[name] = placeholder
	return located(d, t.checkSoFar())
}

// checkSoFar checks a block that may still lack its audience, and the address of
// its keys where that is needed.
func (t *Trust) checkSoFar() error {
	sofar := *t
	if len(sofar.Audiences) == 0 {
		sofar.Audiences = []string{"to come"}
	}
	sofar.JWKS = cmp.Or(sofar.JWKS, "https://to.come")
	return sofar.check()
}
