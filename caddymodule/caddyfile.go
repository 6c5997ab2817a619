package caddymodule

import (
	"cmp"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterGlobalOption("gatehouse", parseApp)
	httpcaddyfile.RegisterHandlerDirective("gatehouse", parseHandler)
	httpcaddyfile.RegisterDirectiveOrder("gatehouse", httpcaddyfile.Before, "basic_auth")
}

// siteBlock is a gatehouse block of a site while it is read.
type siteBlock struct {
	httpcaddyfile.Helper
	handler *Handler
	// once are the subdirectives that were seen and may not come again.
	once map[string]bool
	// at is where the directive stands; errorsAt and identityAt are where the
	// subdirectives do that can only be judged at the end of the block.
	at, errorsAt, identityAt, trustAt caddyfile.Token
	// claims are the routes of the logins so far, public the arguments of the
	// public lines so far.
	claims []claim
	opened map[string]bool
}

// subdirectives are the words of a gatehouse block.
var subdirectives = map[string]func(*siteBlock) error{
	"accept":        (*siteBlock).accept,
	"debug":         (*siteBlock).debug,
	"errors":        (*siteBlock).errors,
	"identity":      (*siteBlock).identity,
	"insecure_http": (*siteBlock).insecureHTTP,
	"login":         (*siteBlock).login,
	"methods":       (*siteBlock).methods,
	"mode":          (*siteBlock).mode,
	"paths":         (*siteBlock).paths,
	"public":        (*siteBlock).public,
	"rate":          (*siteBlock).rate,
	"realm":         (*siteBlock).realm,
	"require":       (*siteBlock).require,
	"trust":         (*siteBlock).trust,
}

// repeatable are the subdirectives that may stand more than once.
var repeatable = []string{"accept", "login", "public", "require", "trust"}

// parseHandler reads the directive of a site. Syntax:
//
//	gatehouse [<matcher>] {
//	    login    <dialect> [<base path>] { … }
//	    accept   <credential…>
//	    trust    <issuer URL> { … }
//	    public   <path…> | @<matcher>
//	    require  [<path…> | @<matcher>] { … }
//	    identity { … }
//	    realm    <name>
//	    errors   problem | <dialect>
//	    mode     enforce | observe
//	    rate     <events> <window> { … }
//	    methods  <method…>
//	    paths    { … }
//	    insecure_http
//	    debug
//	}
//
// login, accept, trust, public and require may be repeated.
func parseHandler(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	b := &siteBlock{Helper: h, handler: new(Handler), once: map[string]bool{}, opened: map[string]bool{}}
	if err := b.parse(); err != nil {
		return nil, err
	}
	return b.handler, b.finish()
}

// parse reads the directive's name and its block.
func (b *siteBlock) parse() error {
	b.Next()
	b.at = b.Token()
	if err := noArg(b.Dispenser, "gatehouse [<matcher>] { … }"); err != nil {
		return err
	}
	for b.NextBlock(0) {
		word := b.Val()
		read, ok := subdirectives[word]
		if !ok {
			return unknownWord(b.Dispenser, "gatehouse", slices.Sorted(maps.Keys(subdirectives)))
		}
		if !slices.Contains(repeatable, word) {
			if err := b.first(word); err != nil {
				return err
			}
		}
		if err := read(b); err != nil {
			return err
		}
	}
	return nil
}

// first refuses a word that was seen before.
func (b *siteBlock) first(word string) error {
	if b.once[word] {
		return b.Errf("%s stands twice", word)
	}
	b.once[word] = true
	return nil
}

// finish judges what depends on the whole block.
func (b *siteBlock) finish() error {
	if err := b.handler.checkAccept(); err != nil {
		return errAt(b.at, err)
	}
	if err := b.handler.checkTrust(); err != nil {
		return errAt(b.trustAt, err)
	}
	if err := b.handler.checkErrors(); err != nil {
		return errAt(b.errorsAt, err)
	}
	if err := cmp.Or(b.handler.checkIdentity(), b.handler.checkAssertion()); err != nil {
		return errAt(b.identityAt, err)
	}
	return b.checkKeys()
}

// located adds to err where the dispenser stands. nil stays nil.
func located(d *caddyfile.Dispenser, err error) error {
	if err == nil {
		return nil
	}
	return d.WrapErr(err)
}

// errAt adds to err where a token stands.
func errAt(t caddyfile.Token, err error) error {
	d := caddyfile.NewDispenser([]caddyfile.Token{t})
	d.Next()
	return located(d, err)
}

// unknownWord is the error for a word that nobody knows at this place.
func unknownWord(d *caddyfile.Dispenser, where string, known []string) error {
	if d.Val() == "{" {
		return d.Errf("a block cannot stand here")
	}
	return d.Errf("unknown word %q in %s: it can be %s", d.Val(), where, alternatives(known))
}

// wrongCount is the error for arguments too few or too many. form is how the
// line is written.
func wrongCount(d *caddyfile.Dispenser, form string) error {
	return d.Errf("wrong number of arguments: it is %s", form)
}

// oneArg reads exactly one argument.
func oneArg(d *caddyfile.Dispenser, form string) (string, error) {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return "", wrongCount(d, form)
	}
	return args[0], nil
}

// noArg refuses arguments.
func noArg(d *caddyfile.Dispenser, form string) error {
	if d.NextArg() {
		return wrongCount(d, form)
	}
	return nil
}
