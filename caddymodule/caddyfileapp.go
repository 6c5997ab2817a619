package caddymodule

import (
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

// parseApp reads the global option. Syntax:
//
//	gatehouse {
//	    store                sqlite [<file>] | postgres <url> { … }
//	    sessions             redis <url> { … }
//	    max_staleness        <duration>
//	    grace                <duration>
//	    key_ring             <file…>
//	    signing_key_lifetime <duration> | off
//	}
func parseApp(d *caddyfile.Dispenser, earlier any) (any, error) {
	d.Next()
	if earlier != nil {
		return nil, d.Err("gatehouse stands twice among the global options")
	}
	if err := noArg(d, "gatehouse { … }"); err != nil {
		return nil, err
	}
	app, seen := new(App), map[string]bool{}
	for d.NextBlock(0) {
		if seen[d.Val()] {
			return nil, d.Errf("%s stands twice", d.Val())
		}
		seen[d.Val()] = true
		if err := app.parseOption(d); err != nil {
			return nil, err
		}
	}
	return httpcaddyfile.App{Name: "gatehouse", Value: caddyconfig.JSON(app, nil)}, nil
}

func (a *App) parseOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "store":
		return a.parseStore(d)
	case "sessions":
		return a.parseSessions(d)
	case "max_staleness":
		if err := durationLine(d, &a.MaxStaleness); err != nil {
			return err
		}
		if err := checkMaxStaleness(a.MaxStaleness); err != nil {
			return d.WrapErr(err)
		}
		return nil
	case "grace":
		return a.parseGrace(d)
	case "key_ring":
		return a.parseKeyRing(d)
	case "signing_key_lifetime":
		return a.parseKeyLifetime(d)
	}
	return unknownWord(d, "the global option gatehouse", []string{
		"store", "sessions", "max_staleness", "grace", "key_ring", "signing_key_lifetime",
	})
}

// durationLine reads the one argument of the word that the dispenser is at.
func durationLine(d *caddyfile.Dispenser, into *caddy.Duration) error {
	word := d.Val()
	text, err := oneArg(d, word+" <duration>")
	if err != nil {
		return err
	}
	*into, err = duration(d, word, text)
	return err
}

// parseGrace reads a duration that may be 0, which is the default.
func (a *App) parseGrace(d *caddyfile.Dispenser) error {
	text, err := oneArg(d, "grace <duration>")
	if err != nil {
		return err
	}
	switch parsed, err := caddy.ParseDuration(text); {
	case err == nil && parsed == 0:
		return nil
	case err == nil && parsed < 0:
		return d.Errf("grace %s must be 0 or more", text)
	}
	a.Grace, err = duration(d, "grace", text)
	return err
}

// forever is a lifetime that is switched off.
const forever caddy.Duration = -1

func (a *App) parseKeyLifetime(d *caddyfile.Dispenser) error {
	text, err := oneArg(d, "signing_key_lifetime <duration>|off")
	if err != nil {
		return err
	}
	if text == "off" {
		a.SigningKeyLifetime = forever
		return nil
	}
	if a.SigningKeyLifetime, err = duration(d, "signing_key_lifetime", text); err != nil {
		return err
	}
	return located(d, checkKeyLifetime(a.SigningKeyLifetime))
}

func (a *App) parseKeyRing(d *caddyfile.Dispenser) error {
	a.KeyRing = d.RemainingArgs()
	if len(a.KeyRing) == 0 {
		return wrongCount(d, "key_ring <file…>")
	}
	for i, file := range a.KeyRing {
		if file == "" || slices.Contains(a.KeyRing[:i], file) {
			return d.Errf("key_ring %q is empty or stands twice", file)
		}
	}
	return nil
}
