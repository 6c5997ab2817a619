package caddymodule

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap"
	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// LogEncoder is a log format that hides credentials. It wraps another format
// and replaces, at every level, in requests, responses, headers, URLs and
// messages:
//
//   - the values of header fields that carry credentials: Authorization,
//     Cookie, X-Api-Key and the like, and every field that a gateway of this
//     process reads a credential from;
//   - the values of query parameters that carry credentials, likewise, in the
//     request's URI, in Referer and Location, and wherever else a URL is
//     logged;
//   - user names and passwords in URLs.
//
// Configure it for the default log too: Caddy's error log and its debug
// messages show request headers as the access log does.
type LogEncoder struct {
	// The format of what is left. The default is json, or console where the
	// log goes to a terminal.
	WrappedRaw json.RawMessage `json:"wrap,omitempty" caddy:"namespace=caddy.logging.encoders inline_key=format"`

	// More header fields whose values are hidden. The default is none.
	Headers []string `json:"headers,omitempty"`

	// More query parameters whose values are hidden. The default is none.
	Query []string `json:"query,omitempty"`

	objectEncoder `json:"-"`
	wrapped       zapcore.Encoder
}

// CaddyModule returns the Caddy module information.
func (*LogEncoder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.gatehouse",
		New: func() caddy.Module { return new(LogEncoder) },
	}
}

// Provision loads the wrapped format.
func (e *LogEncoder) Provision(ctx caddy.Context) error {
	hide := &redactor{own: credentialNames{headers: newNameSet(e.Headers...), params: newNameSet(e.Query...)}}
	if e.WrappedRaw == nil {
		return e.wrapDefault(&logging.JSONEncoder{}, ctx, hide)
	}
	mod, err := ctx.LoadModule(e, "WrappedRaw")
	if err != nil {
		return fmt.Errorf("loading the wrapped log format: %w", err)
	}
	e.wrap(mod.(zapcore.Encoder), hide)
	return nil
}

// ConfigureDefaultFormat takes console in place of json for a terminal, as
// Caddy does where no format is configured.
func (e *LogEncoder) ConfigureDefaultFormat(wo caddy.WriterOpener) error {
	if e.WrappedRaw != nil {
		if inner, ok := e.wrapped.(caddy.ConfiguresFormatterDefault); ok {
			return inner.ConfigureDefaultFormat(wo)
		}
		return nil
	}
	if !caddy.IsWriterStandardStream(wo) || !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
	}
	return e.wrapDefault(&logging.ConsoleEncoder{}, caddy.Context{}, e.hide)
}

// wrapDefault provisions one of Caddy's own formats, which need no context.
func (e *LogEncoder) wrapDefault(enc zapcore.Encoder, ctx caddy.Context, hide *redactor) error {
	if p, ok := enc.(caddy.Provisioner); ok {
		if err := p.Provision(ctx); err != nil {
			return fmt.Errorf("setting up the default log format: %w", err)
		}
	}
	e.wrap(enc, hide)
	return nil
}

func (e *LogEncoder) wrap(enc zapcore.Encoder, hide *redactor) {
	e.wrapped, e.objectEncoder = enc, objectEncoder{ObjectEncoder: enc, hide: hide}
}

// Clone returns an encoder with the same fields so far.
func (e *LogEncoder) Clone() zapcore.Encoder {
	c := new(LogEncoder)
	c.wrap(e.wrapped.Clone(), e.hide)
	return c
}

// EncodeEntry encodes an entry without its credentials.
func (e *LogEncoder) EncodeEntry(ent zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	ent.Message = e.hide.scrub(ent.Message)
	return e.wrapped.EncodeEntry(ent, []zapcore.Field{zap.Inline(redactedFields{fields, e.hide})})
}

// UnmarshalCaddyfile sets up the format from Caddyfile tokens. Syntax:
//
//	gatehouse {
//	    wrap   <format> [{ … }]
//	    header <name…>
//	    query  <name…>
//	}
//
// header and query may be repeated. Without a block everything is left at its
// default.
func (e *LogEncoder) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if err := noArg(d, "format gatehouse { … }"); err != nil {
		return err
	}
	for d.NextBlock(0) {
		if err := e.unmarshalOption(d); err != nil {
			return err
		}
	}
	return nil
}

func (e *LogEncoder) unmarshalOption(d *caddyfile.Dispenser) error {
	switch d.Val() {
	case "wrap":
		return e.unmarshalWrap(d)
	case "header":
		return appendNames(d, &e.Headers)
	case "query":
		return appendNames(d, &e.Query)
	}
	return d.Errf("unknown option %q of the log format gatehouse: it has wrap, header and query", d.Val())
}

func (e *LogEncoder) unmarshalWrap(d *caddyfile.Dispenser) error {
	if e.WrappedRaw != nil {
		return d.Err("wrap stands twice")
	}
	if !d.NextArg() {
		return wrongCount(d, "wrap <format>")
	}
	name := d.Val()
	mod, err := caddyfile.UnmarshalModule(d, "caddy.logging.encoders."+name)
	if err != nil {
		return err
	}
	enc, ok := mod.(zapcore.Encoder)
	if !ok {
		return d.Errf("%q is not a log format", name)
	}
	e.WrappedRaw = caddyconfig.JSONModuleObject(enc, "format", name, nil)
	return nil
}

func appendNames(d *caddyfile.Dispenser, names *[]string) error {
	option, args := d.Val(), d.RemainingArgs()
	if len(args) == 0 {
		return wrongCount(d, option+" <name…>")
	}
	for _, name := range args {
		if newNameSet(*names...).has(name) {
			return d.Errf("%q stands twice", name)
		}
		*names = append(*names, name)
	}
	return nil
}

// Interface guards.
var (
	_ caddy.Provisioner                = (*LogEncoder)(nil)
	_ caddy.ConfiguresFormatterDefault = (*LogEncoder)(nil)
	_ caddyfile.Unmarshaler            = (*LogEncoder)(nil)
	_ zapcore.Encoder                  = (*LogEncoder)(nil)
)
