package caddymodule

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// The types below read the values of flags: what they refuse is an error in
// the command line, before anything is opened.

// lifetime is a duration longer than none; days are written 7d.
type lifetime time.Duration

func (l *lifetime) String() string { return time.Duration(*l).String() }
func (*lifetime) Type() string     { return "duration" }

func (l *lifetime) Set(text string) error {
	d, err := caddy.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("it must be a duration like 90m, 48h or 7d")
	}
	*l = lifetime(d)
	return nil
}

// end is an instant to come: RFC 3339, or a duration from now.
type end time.Time

func (e *end) String() string {
	if time.Time(*e).IsZero() {
		return ""
	}
	return time.Time(*e).Format(time.RFC3339)
}
func (*end) Type() string { return "duration or RFC 3339" }

func (e *end) Set(text string) error {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		*e = end(at)
		return nil
	}
	var l lifetime
	if l.Set(text) != nil {
		return errors.New("it must be a duration like 90d, or an instant like 2027-01-31T12:00:00Z")
	}
	*e = end(time.Now().Add(time.Duration(l)))
	return nil
}

// prefixes is an allow-list: addresses and CIDR prefixes.
type prefixes []netip.Prefix

func (p *prefixes) String() string { return strings.Join(prefixNames(*p), ",") }
func (*prefixes) Type() string     { return "CIDR" }

func (p *prefixes) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		prefix, err := admin.ParsePrefix(strings.TrimSpace(one))
		if err != nil {
			return err
		}
		*p = append(*p, prefix)
	}
	return nil
}

func prefixNames(all []netip.Prefix) []string {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.String()
	}
	return names
}

// permissions are permission bits by name.
type permissions auth.Permission

func (p *permissions) String() string { return strings.Join(auth.Permission(*p).Names(), ",") }
func (*permissions) Type() string     { return "names" }

func (p *permissions) Set(text string) error {
	for name := range strings.SplitSeq(text, ",") {
		bit, ok := auth.ParsePermission(strings.TrimSpace(name))
		if !ok {
			return fmt.Errorf("there is no permission %q: it can be %s", name, alternatives(auth.AllPermissions.Names()))
		}
		*p |= permissions(bit)
	}
	return nil
}
