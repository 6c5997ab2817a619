package caddymodule

import (
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// public reads
//
//	public <path…>
//	public @<matcher>
func (b *siteBlock) public() error {
	r, err := b.rule(b.opened)
	if err != nil {
		return err
	}
	if len(r.Paths) == 0 && len(r.MatcherSetsRaw) == 0 {
		return wrongCount(b.Dispenser, "public <path…>, or public @<matcher>")
	}
	b.handler.Public = append(b.handler.Public, r)
	return nil
}

// require reads
//
//	require [<path…> | @<matcher>] {
//	    role       <name…>
//	    scope      <name…>
//	    permission read | write | delete | create …
//	    tenant     <value…>
//	    subject    <value…>
//	}
//
// All lines must hold; the values of a line are alternatives.
func (b *siteBlock) require() error {
	at := b.Token()
	r, err := b.rule(map[string]bool{})
	if err != nil {
		return err
	}
	q := Require{Rule: r}
	for nesting := b.Nesting(); b.NextBlock(nesting); {
		if err := q.line(b.Dispenser); err != nil {
			return err
		}
	}
	if err := q.check(); err != nil {
		return errAt(at, err)
	}
	b.handler.Require = append(b.handler.Require, q)
	return nil
}

// requireLines says how each line of require is written.
var requireLines = map[string]string{
	"role":       "role <name…>",
	"scope":      "scope <name…>",
	"permission": "permission read|write|delete|create…",
	"tenant":     "tenant <name or placeholder…>",
	"subject":    "subject <id or placeholder…>",
}

func (q *Require) line(d *caddyfile.Dispenser) error {
	word := d.Val()
	values, ok := map[string]*[]string{
		"role": &q.Roles, "scope": &q.Scopes, "permission": &q.Permissions, "tenant": &q.Tenants,
		"subject": &q.Subjects,
	}[word]
	if !ok {
		return unknownWord(d, "require", []string{"role", "scope", "permission", "tenant", "subject"})
	}
	if len(*values) > 0 {
		return d.Errf("%s stands twice: values on a line are alternatives; for both, write a second require", word)
	}
	if *values = d.RemainingArgs(); len(*values) == 0 {
		return wrongCount(d, requireLines[word])
	}
	return located(d, q.check())
}

// rule reads paths or one named matcher, up to the end of the line or the
// block that follows. seen are the arguments that may not come again.
func (b *siteBlock) rule(seen map[string]bool) (Rule, error) {
	var r Rule
	for b.CountRemainingArgs() > 0 {
		if err := b.ruleArg(&r); err != nil {
			return r, err
		}
		if seen[b.Val()] {
			return r, b.Errf("%s stands twice", b.Val())
		}
		seen[b.Val()] = true
	}
	return r, nil
}

func (b *siteBlock) ruleArg(r *Rule) error {
	set, _, err := b.MatcherToken() // it reads the argument, whatever it is
	if err != nil {
		return located(b.Dispenser, err)
	}
	if strings.HasPrefix(b.Val(), "@") {
		r.MatcherSetsRaw = append(r.MatcherSetsRaw, set)
	} else {
		r.Paths = append(r.Paths, b.Val())
	}
	if len(r.MatcherSetsRaw) > 1 || len(r.MatcherSetsRaw) == 1 && len(r.Paths) > 0 {
		return b.Err("a named matcher stands alone on its line")
	}
	return located(b.Dispenser, r.check())
}
