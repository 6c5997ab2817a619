package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
)

// userPrefix begins the placeholders that Caddy's own authentication sets.
const userPrefix = "http.auth.user."

// attach sets {http.auth.user.*} for a request. An anonymous caller has them
// too, empty: a placeholder that nobody set would reach the upstream as its
// literal text.
func attach(r *http.Request, v *authn.Verdict) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return
	}
	repl.Map(func(key string) (any, bool) {
		name, ok := strings.CutPrefix(key, userPrefix)
		if !ok {
			return nil, false
		}
		if v == nil {
			return anonymousField(name)
		}
		return userField(v.Principal, name)
	})
}

func anonymousField(name string) (any, bool) {
	_, known := userField(&auth.Principal{}, name)
	return "", known
}

// userField returns a field of {http.auth.user.<name>}.
func userField(p *auth.Principal, name string) (any, bool) {
	switch name {
	case "id":
		return p.Subject, true
	case "username":
		return p.Username, true
	case "tenant":
		return p.Tenant, true
	case "unit":
		return p.Unit, true
	case "roles":
		return strings.Join(p.Roles, ","), true
	case "scopes":
		return strings.Join(p.Scopes, ","), true
	case "key_id":
		return keyID(p), true
	case "token_id":
		return p.TokenID, true
	case "credential":
		return string(p.Credential), true
	}
	return nil, false
}

// userFields lists the names that userField knows.
var userFields = []string{"username", "tenant", "unit", "roles", "scopes", "key_id", "token_id", "credential"}

// ours finds the placeholders of a template that only a gateway can replace.
var ours = regexp.MustCompile(`\{http\.auth\.user\.([^{}]*)\}`)

// checkUserFields refuses a template with a field of the caller that nobody
// knows: it would fail each request that it is about.
func checkUserFields(template string) error {
	for _, m := range ours.FindAllStringSubmatch(template, -1) {
		if _, known := userField(&auth.Principal{}, m[1]); !known {
			fields := append([]string{"id"}, userFields...)
			return fmt.Errorf("a caller has no %q: it can be %s", m[1], alternatives(fields))
		}
	}
	return nil
}

func keyID(p *auth.Principal) string {
	if p.KeyID == 0 {
		return ""
	}
	return strconv.FormatInt(p.KeyID, 10)
}

// expand replaces the placeholders of a template. An unknown one is an error:
// its literal text is nobody's name.
func expand(r *http.Request, template string) (string, error) {
	repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return template, nil
	}
	return repl.ReplaceOrErr(template, false, true)
}

// requestID returns what Caddy calls {http.request.uuid}, "" outside of a server
// of Caddy's. Asking puts it into the access log of that request too.
func requestID(ctx context.Context) string {
	repl, ok := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if _, logs := ctx.Value(caddyhttp.ExtraLogFieldsCtxKey).(*caddyhttp.ExtraLogFields); !ok || !logs {
		return ""
	}
	id, _ := repl.GetString("http.request.uuid")
	return id
}

// clientAddress returns the address that Caddy worked out from its trusted
// proxies.
func clientAddress(r *http.Request) netip.Addr {
	text, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	if !ok {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a
}
