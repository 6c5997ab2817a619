package caddymodule

import (
	"fmt"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// assertion reads
//
//	assertion [<field>] {
//	    audience <text…>
//	    ttl      <duration>
//	}
//
// audience must stand there once.
func (b *siteBlock) assertion() error {
	if b.handler.Identity.Assertion != nil {
		return b.Err("assertion stands twice")
	}
	a, at := new(Assertion), b.Token()
	b.handler.Identity.Assertion = a
	args := b.RemainingArgs()
	if len(args) > 1 {
		return wrongCount(b.Dispenser, "assertion [<field>] { … }")
	}
	if len(args) == 1 {
		a.Field = args[0]
		if err := a.checkField(); err != nil {
			return located(b.Dispenser, err)
		}
	}
	for nesting := b.Nesting(); b.NextBlock(nesting); {
		if err := b.assertionLine(a); err != nil {
			return err
		}
	}
	return errAt(at, a.check())
}

func (b *siteBlock) assertionLine(a *Assertion) error {
	switch b.Val() {
	case "audience":
		if len(a.Audience) > 0 {
			return b.Err("audience stands twice")
		}
		if a.Audience = b.RemainingArgs(); len(a.Audience) == 0 {
			return wrongCount(b.Dispenser, "audience <text…>")
		}
		return located(b.Dispenser, a.check())
	case "ttl":
		if a.TTL != 0 {
			return b.Err("ttl stands twice")
		}
		text, err := oneArg(b.Dispenser, "ttl <duration>")
		if err != nil {
			return err
		}
		if a.TTL, err = duration(b.Dispenser, "ttl", text); err != nil {
			return err
		}
		return located(b.Dispenser, a.checkTTL())
	}
	return unknownWord(b.Dispenser, "assertion", []string{"audience", "ttl"})
}

// checkKeys refuses a login at the path where this block serves its keys.
func (b *siteBlock) checkKeys() error {
	if !b.handler.publishes() {
		return nil
	}
	for _, c := range b.claims {
		if path := dialect.Shared(c.routes, gateway.KeyRoutes()); path != "" {
			return errAt(c.at, fmt.Errorf("%s answers %s, where the keys of this site are served: give it another path", c.login, path))
		}
	}
	return nil
}
