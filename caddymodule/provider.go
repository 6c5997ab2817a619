package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// Provision builds the chain of credentials.
func (p *Provider) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	accept := p.Accept
	if len(accept) == 0 {
		accept = []Accept{{Kind: string(auth.Bearer)}, {Kind: string(auth.APIKey)}}
	}
	cfg := gateway.Config{Realm: p.Realm, InsecureHTTP: p.InsecureHTTP, Hooks: hooks(ctx)}
	if cfg.Accept, err = specs(accept); err != nil {
		return err
	}
	if cfg.Trust, err = trusted(p.Trust); err != nil {
		return err
	}
	if p.site, err = gateway.New(cfg); err != nil {
		return err
	}
	chain := p.site.Chain()
	if err := registerCredentialNames(chain.Headers(), chain.Queries()); err != nil {
		return err
	}
	app.add(p.site)
	return nil
}

// Authenticate verifies the credential of a request for Caddy's authentication
// handler, which sets {http.auth.user.*}. It neither takes the credential out
// of the request nor tells the upstream anything: that is the gatehouse
// handler's work. A store out of reach is an error, which Caddy's handler can
// only answer with 401.
func (p *Provider) Authenticate(w http.ResponseWriter, r *http.Request) (caddyauth.User, bool, error) {
	v, err := p.site.Identify(w, r)
	if err == nil {
		return user(v), true, nil
	}
	code := auth.CodeOf(err)
	if c := bearer.Challenge(code, p.site.Realm()); c != "" {
		w.Header().Set("WWW-Authenticate", c)
	}
	switch code {
	case auth.NoCredential, auth.InvalidCredential, auth.Malformed:
		return caddyauth.User{}, false, nil
	default:
		return caddyauth.User{}, false, err
	}
}

func user(v *authn.Verdict) caddyauth.User {
	u := caddyauth.User{ID: v.Principal.Subject, Metadata: make(map[string]string, len(userFields))}
	for _, name := range userFields {
		value, _ := userField(v.Principal, name)
		u.Metadata[name], _ = value.(string)
	}
	return u
}

var _ caddyauth.Authenticator = (*Provider)(nil)
