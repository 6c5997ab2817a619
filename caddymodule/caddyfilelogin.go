package caddymodule

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// loginOptions are the options that all dialects share.
var loginOptions = map[string]func(*Login, *caddyfile.Dispenser) error{
	"ttl":      (*Login).parseTTL,
	"idle":     (*Login).parseIdle,
	"format":   (*Login).parseFormat,
	"max_body": (*Login).parseMaxBody,
	"cors":     (*Login).parseCORS,
	"attempts": (*Login).parseAttempts,
	"openapi":  (*Login).parseOpenAPI,
}

// login reads
//
//	login <dialect> [<base path>] {
//	    ttl      <duration>
//	    idle     <duration>
//	    format   opaque | jwt
//	    max_body <size>
//	    cors     <origin…>
//	    attempts <events> <window>
//	    openapi  [<path>]
//	    <option of the dialect> [<argument…>]
//	}
func (b *siteBlock) login() error {
	at := b.Token()
	l, k, err := loginLine(b.Dispenser)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for nesting := b.Nesting(); b.NextBlock(nesting); {
		if seen[b.Val()] {
			return b.Errf("%s stands twice", b.Val())
		}
		seen[b.Val()] = true
		if err := l.parseOption(b.Dispenser, k); err != nil {
			return err
		}
	}
	if err := l.check(k); err != nil { // what lines say together
		return errAt(at, err)
	}
	b.handler.Logins = append(b.handler.Logins, l)
	return b.claim(&l, at)
}

// loginLine reads the arguments of login.
func loginLine(d *caddyfile.Dispenser) (Login, dialect.Kind, error) {
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return Login{}, dialect.Kind{}, wrongCount(d, "login <dialect> [<base path>]")
	}
	l := Login{Dialect: args[0]}
	k, err := l.kind()
	if err != nil {
		return l, k, located(d, err)
	}
	if len(args) == 2 {
		l.Base = trimSlash(args[1])
	}
	return l, k, located(d, checkPath("base path", l.Base))
}

// trimSlash takes one slash off the end: /login/ means /login.
func trimSlash(base string) string {
	if n := len(base) - 1; n > 0 && base[n] == '/' {
		return base[:n]
	}
	return base
}

// parseOption reads one line of a login block.
func (l *Login) parseOption(d *caddyfile.Dispenser, k dialect.Kind) error {
	name := d.Val()
	if err := refusedBy(k, name); err != nil {
		return located(d, err)
	}
	if parse, shared := loginOptions[name]; shared {
		return parse(l, d)
	}
	if !slices.ContainsFunc(k.Options, func(o dialect.Option) bool { return o.Name == name }) {
		return unknownWord(d, "login "+k.Name, optionNames(k))
	}
	args := d.RemainingArgs()
	if err := checkOption(k, name, args); err != nil {
		return located(d, err)
	}
	if l.Options == nil {
		l.Options = map[string][]string{}
	}
	l.Options[name] = slices.Concat([]string{}, args) // [] rather than null in JSON
	return nil
}

func (l *Login) parseTTL(d *caddyfile.Dispenser) (err error) {
	text, err := oneArg(d, "ttl <duration>")
	if err != nil {
		return err
	}
	l.TTL, err = duration(d, "ttl", text)
	return err
}

func (l *Login) parseIdle(d *caddyfile.Dispenser) (err error) {
	text, err := oneArg(d, "idle <duration>")
	if err != nil {
		return err
	}
	l.Idle, err = duration(d, "idle", text)
	return err
}

func (l *Login) parseFormat(d *caddyfile.Dispenser) (err error) {
	if l.Format, err = oneArg(d, "format opaque|jwt"); err != nil {
		return err
	}
	return located(d, checkFormat(l.Format))
}

func (l *Login) parseMaxBody(d *caddyfile.Dispenser) error {
	text, err := oneArg(d, "max_body <size>")
	if err != nil {
		return err
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size == 0 || size > math.MaxInt64 {
		return d.Errf("max_body %q: it must be a size of more than 0 like 64KiB", text)
	}
	l.MaxBody = int64(size)
	return nil
}

func (l *Login) parseCORS(d *caddyfile.Dispenser) error {
	if l.CORS = d.RemainingArgs(); len(l.CORS) == 0 {
		return wrongCount(d, "cors <origin…>")
	}
	return located(d, checkOrigins(l.CORS))
}

func (l *Login) parseAttempts(d *caddyfile.Dispenser) error {
	events, window, err := limit(d, "attempts <events> <window>")
	l.Attempts = &Attempts{Events: events, Window: window}
	return err
}

// parseOpenAPI writes the path out: JSON has no word for the default.
func (l *Login) parseOpenAPI(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) > 1 || len(args) == 1 && args[0] == "" {
		return wrongCount(d, "openapi [<path>]")
	}
	if len(args) == 1 {
		l.OpenAPI = args[0]
		return located(d, checkPath("openapi path", l.OpenAPI))
	}
	k, err := l.kind()
	if err != nil {
		return located(d, err)
	}
	l.OpenAPI = cmp.Or(l.Base, k.Base) + "/openapi.json"
	return nil
}

// claim is what a login block answers.
type claim struct {
	login  string
	at     caddyfile.Token
	routes []dialect.Route
}

// claim notes the routes of a login and refuses those that another has.
func (b *siteBlock) claim(l *Login, at caddyfile.Token) error {
	c, err := claimOf(l, at)
	if err != nil {
		return errAt(at, err)
	}
	for _, other := range b.claims {
		if path := dialect.Shared(c.routes, other.routes); path != "" {
			return errAt(at, fmt.Errorf("%s and %s (at %s:%d) both answer %s: give one of them another path",
				c.login, other.login, other.at.File, other.at.Line, path))
		}
	}
	b.claims = append(b.claims, c)
	return nil
}

// claimOf builds the dialect to ask it for its routes. It logs nobody in.
func claimOf(l *Login, at caddyfile.Token) (claim, error) {
	built, err := l.build()
	if err != nil {
		return claim{}, err
	}
	routes, err := built.Routes()
	if err != nil {
		return claim{}, fmt.Errorf("login %s: %w", l.Dialect, err)
	}
	return claim{login: "login " + l.Dialect + " " + built.Config.Base, at: at, routes: routes}, nil
}
