package caddymodule

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/dialect/table"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/throttle"
)

// dialectNames lists the dialects that can be configured.
func dialectNames() []string { return table.Names() }

// kind returns the dialect of a login block.
func (l *Login) kind() (dialect.Kind, error) {
	k, ok := table.Lookup(l.Dialect)
	if !ok {
		return k, fmt.Errorf("there is no dialect %q: it can be %s", l.Dialect, alternatives(dialectNames()))
	}
	return k, nil
}

// build checks a login block and returns it as the gateway takes it. Its
// errors are about the configuration alone.
func (l *Login) build() (gateway.Login, error) {
	k, err := l.kind()
	if err != nil {
		return gateway.Login{}, err
	}
	if err := l.check(k); err != nil {
		return gateway.Login{}, err
	}
	return l.gateway(k), nil
}

// gateway returns a login block as the gateway takes it, unchecked.
func (l *Login) gateway(k dialect.Kind) gateway.Login {
	built := gateway.Login{Kind: k, Config: dialect.Config{
		Base: l.Base, TTL: time.Duration(l.TTL), Idle: time.Duration(l.Idle), Format: l.Format,
		MaxBody: l.MaxBody, CORS: l.CORS, OpenAPI: l.OpenAPI, Options: l.Options,
	}}
	if built.Config.Base == "" {
		built.Config.Base = k.Base
	}
	if l.Attempts != nil {
		built.Attempts = throttle.Limit{Events: l.Attempts.Events, Window: time.Duration(l.Attempts.Window)}
	}
	return built
}

// check holds a login block against its dialect. The Caddyfile makes the same
// checks line by line, so that it can tell where.
func (l *Login) check(k dialect.Kind) error {
	for _, name := range l.shared() {
		if err := refusedBy(k, name); err != nil {
			return err
		}
	}
	for name, args := range l.Options {
		if err := checkOption(k, name, args); err != nil {
			return err
		}
	}
	err := cmp.Or(
		checkPath("base path", l.Base), checkPath("openapi path", l.OpenAPI), checkLife(l.TTL), checkNotNegative("idle", l.Idle),
		checkFormat(l.Format), checkOrigins(l.CORS), l.checkMaxBody(), l.checkIdle(k), l.checkAttempts(),
	)
	if err != nil {
		return fmt.Errorf("login %s: %w", k.Name, err)
	}
	return nil
}

// shared lists the shared options that are set.
func (l *Login) shared() []string {
	var names []string
	for _, o := range []struct {
		name string
		set  bool
	}{
		{"ttl", l.TTL != 0},
		{"idle", l.Idle != 0},
		{"format", l.Format != ""},
		{"max_body", l.MaxBody != 0},
		{"cors", len(l.CORS) > 0},
		{"attempts", l.Attempts != nil},
		{"openapi", l.OpenAPI != ""},
	} {
		if o.set {
			names = append(names, o.name)
		}
	}
	return names
}

// refusedBy returns why a dialect cannot honour a shared option.
func refusedBy(k dialect.Kind, name string) error {
	if reason, refused := k.Refused[name]; refused {
		return fmt.Errorf("login %s: %s cannot be set: %s", k.Name, name, reason)
	}
	return nil
}

// checkOption checks one of a dialect's own options.
func checkOption(k dialect.Kind, name string, args []string) error {
	i := slices.IndexFunc(k.Options, func(o dialect.Option) bool { return o.Name == name })
	if i < 0 {
		return fmt.Errorf("login %s: there is no option %q: it can be %s", k.Name, name, alternatives(optionNames(k)))
	}
	o := k.Options[i]
	if o.Check == nil {
		return nil
	}
	if err := o.Check(args); err != nil {
		return fmt.Errorf("login %s: %s: %w", k.Name, strings.TrimSpace(o.Name+" "+o.Usage), err)
	}
	return nil
}

// optionNames lists what may stand in a login block of a dialect.
func optionNames(k dialect.Kind) []string {
	var names []string
	for name := range loginOptions {
		if _, refused := k.Refused[name]; !refused {
			names = append(names, name)
		}
	}
	for _, o := range k.Options {
		names = append(names, o.Name)
	}
	slices.Sort(names)
	return names
}

// checkPath takes the default ("") and plain absolute paths: no pattern, no
// escape, nothing that could be read in two ways. `/` would claim every
// request.
func checkPath(what, text string) error {
	switch {
	case text == "":
		return nil
	case text[0] != '/' || text == "/":
		return fmt.Errorf("the %s %q must start with / and name something below it", what, text)
	case path.Clean(text) != text:
		return fmt.Errorf("the %s %q must have no empty or dot segments and no / at its end", what, text)
	case strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c >= 0x7f || strings.ContainsRune(`%?#*;{}\"<>`, c) }):
		return fmt.Errorf("the %s %q must be plain: no patterns, placeholders, escapes or spaces", what, text)
	}
	return nil
}

func checkFormat(format string) error {
	if format != "" && format != "opaque" && format != "jwt" {
		return fmt.Errorf("format %q: it can be opaque or jwt", format)
	}
	return nil
}

// checkOrigins takes what dialects take, and no origin twice.
func checkOrigins(origins []string) error {
	for i, o := range origins {
		if slices.Contains(origins[:i], o) {
			return fmt.Errorf("the origin %q stands twice", o)
		}
	}
	_, err := dialect.NewCORS(origins)
	return err
}

func (l *Login) checkMaxBody() error {
	if l.MaxBody < 0 {
		return fmt.Errorf("max_body %d must be more than 0", l.MaxBody)
	}
	return nil
}

// checkIdle refuses an idle time that can never come to pass.
func (l *Login) checkIdle(k dialect.Kind) error {
	if idle, ttl := time.Duration(l.Idle), l.gateway(k).TTL(); idle > ttl {
		return fmt.Errorf("idle %s is longer than the life of a token, %s", idle, ttl)
	}
	return nil
}

func (l *Login) checkAttempts() error {
	if l.Attempts == nil {
		return nil
	}
	return checkLimit("attempts", l.Attempts.Events, l.Attempts.Window)
}

// checkLimit checks a number of events in a window.
func checkLimit(what string, events int, window caddy.Duration) error {
	if events < 1 || window <= 0 {
		return fmt.Errorf("%s %d %s: both must be more than 0", what, events, time.Duration(window))
	}
	return nil
}

// checkLife refuses lives that would show as 0: clients are told whole seconds.
func checkLife(ttl caddy.Duration) error {
	if ttl != 0 && time.Duration(ttl) < time.Second {
		return fmt.Errorf("ttl %s must be at least 1s", time.Duration(ttl))
	}
	return nil
}

func checkNotNegative(what string, d caddy.Duration) error {
	if d < 0 {
		return fmt.Errorf("%s %s must be more than 0", what, time.Duration(d))
	}
	return nil
}

// alternatives joins words to a list for people.
func alternatives(words []string) string {
	switch len(words) {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
