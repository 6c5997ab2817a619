package caddymodule

import (
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// realm reads
//
//	realm <name>
func (b *siteBlock) realm() error {
	name, err := oneArg(b.Dispenser, "realm <name>")
	if err != nil {
		return err
	}
	b.handler.Realm = name
	return located(b.Dispenser, checkRealm(name))
}

// errors reads
//
//	errors problem | <dialect>
//
// Whether this block has a login of that dialect shows at its end.
func (b *siteBlock) errors() error {
	shape, err := oneArg(b.Dispenser, "errors problem, or errors <dialect>")
	if err != nil {
		return err
	}
	b.handler.Errors, b.errorsAt = shape, b.Token()
	return nil
}

// mode reads
//
//	mode enforce | observe
func (b *siteBlock) mode() error {
	mode, err := oneArg(b.Dispenser, "mode enforce|observe")
	if err != nil {
		return err
	}
	b.handler.Mode = mode
	return located(b.Dispenser, checkMode(mode))
}

// insecureHTTP reads
//
//	insecure_http
func (b *siteBlock) insecureHTTP() error {
	b.handler.InsecureHTTP = true
	return noArg(b.Dispenser, "insecure_http")
}

// debug reads
//
//	debug
func (b *siteBlock) debug() error {
	b.handler.Debug = true
	return noArg(b.Dispenser, "debug")
}

// methods reads
//
//	methods <method…>
func (b *siteBlock) methods() error {
	names := b.RemainingArgs()
	if len(names) == 0 {
		return wrongCount(b.Dispenser, "methods <method…>")
	}
	b.handler.Methods = names
	return located(b.Dispenser, checkMethods(names))
}

// rate reads
//
//	rate <events> <window> {
//	    key credential | subject | address
//	}
func (b *siteBlock) rate() error {
	events, window, err := limit(b.Dispenser, "rate <events> <window>")
	if err != nil {
		return err
	}
	r := &Rate{Events: events, Window: window}
	for nesting := b.Nesting(); b.NextBlock(nesting); {
		if b.Val() != "key" {
			return unknownWord(b.Dispenser, "rate", []string{"key"})
		}
		if r.Key != "" {
			return b.Err("key stands twice")
		}
		if r.Key, err = oneArg(b.Dispenser, "key credential|subject|address"); err != nil {
			return err
		}
		if _, err := r.build(); err != nil {
			return located(b.Dispenser, err)
		}
	}
	b.handler.Rate = r
	return nil
}

// identity reads
//
//	identity {
//	    header    <field> <value>
//	    assertion [<field>] { … }
//	    keep_credentials
//	}
//
// header may be repeated.
func (b *siteBlock) identity() error {
	b.identityAt = b.Token()
	if err := noArg(b.Dispenser, "identity { … }"); err != nil {
		return err
	}
	b.handler.Identity = new(Identity)
	for nesting := b.Nesting(); b.NextBlock(nesting); {
		if err := b.identityLine(); err != nil {
			return err
		}
	}
	if i := b.handler.Identity; len(i.Headers) == 0 && i.Assertion == nil && !i.KeepCredentials {
		return errAt(b.identityAt, errEmptyIdentity)
	}
	return nil
}

func (b *siteBlock) identityLine() error {
	identity := b.handler.Identity
	switch b.Val() {
	case "header":
		args := b.RemainingArgs()
		if len(args) != 2 {
			return wrongCount(b.Dispenser, "header <field> <value>")
		}
		identity.Headers = append(identity.Headers, IdentityHeader{Field: args[0], Value: args[1]})
		_, err := identity.build()
		return located(b.Dispenser, err)
	case "assertion":
		return b.assertion()
	case "keep_credentials":
		if identity.KeepCredentials {
			return b.Err("keep_credentials stands twice")
		}
		identity.KeepCredentials = true
		return noArg(b.Dispenser, "keep_credentials")
	}
	return unknownWord(b.Dispenser, "identity", []string{"assertion", "header", "keep_credentials"})
}

// limit reads a number of events and a window.
func limit(d *caddyfile.Dispenser, form string) (events int, window caddy.Duration, err error) {
	what, args := d.Val(), d.RemainingArgs()
	if len(args) != 2 {
		return 0, 0, wrongCount(d, form)
	}
	if events, err = strconv.Atoi(args[0]); err != nil {
		return 0, 0, d.Errf("%s %q: it must be a whole number", what, args[0])
	}
	if window, err = duration(d, what, args[1]); err != nil {
		return 0, 0, err
	}
	return events, window, located(d, checkLimit(what, events, window))
}

// duration reads a duration of more than 0, as Caddy writes them.
func duration(d *caddyfile.Dispenser, what, text string) (caddy.Duration, error) {
	parsed, err := caddy.ParseDuration(text)
	if err != nil {
		return 0, d.Errf("%s %q: it must be a duration like 30s or 5m", what, text)
	}
	if parsed <= 0 {
		return 0, d.Errf("%s %s must be more than 0", what, text)
	}
	return caddy.Duration(parsed), nil
}
