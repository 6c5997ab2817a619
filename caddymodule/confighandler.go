package caddymodule

import (
	"errors"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
)

// build checks the whole configuration of a handler, however it was written,
// loads its matchers and returns it as the gateway takes it, without hooks.
func (h *Handler) build(ctx caddy.Context) (gateway.Config, error) {
	cfg := gateway.Config{
		Realm: h.Realm, Errors: h.Errors, Observe: h.Mode == modeObserve,
		InsecureHTTP: h.InsecureHTTP, Debug: h.Debug, Methods: h.Methods,
	}
	for _, step := range []func() error{
		h.check,
		func() error { return h.buildLogins(&cfg) },
		func() error { return h.buildRules(ctx, &cfg) },
		func() error { return h.buildRest(&cfg) },
	} {
		if err := step(); err != nil {
			return gateway.Config{}, err
		}
	}
	return cfg, nil
}

// check holds the plain members against their rules.
func (h *Handler) check() error {
	for _, check := range []func() error{
		func() error { return checkOptionalRealm(h.Realm) },
		func() error { return checkMode(h.Mode) },
		func() error { return checkMethods(h.Methods) },
		h.checkAccept, h.checkTrust, h.checkErrors, h.checkIdentity, h.checkAssertion,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func checkOptionalRealm(name string) error {
	if name == "" {
		return nil
	}
	return checkRealm(name)
}

func (h *Handler) buildLogins(cfg *gateway.Config) error {
	for i := range h.Logins {
		l, err := h.Logins[i].build()
		if err != nil {
			return err
		}
		cfg.Logins = append(cfg.Logins, l)
	}
	return nil
}

func (h *Handler) buildRules(ctx caddy.Context, cfg *gateway.Config) error {
	for i := range h.Public {
		if len(h.Public[i].Paths) == 0 && len(h.Public[i].MatcherSetsRaw) == 0 {
			return errors.New("public says nothing: an empty rule would open every path")
		}
		r, err := h.Public[i].build(ctx)
		if err != nil {
			return err
		}
		cfg.Public = append(cfg.Public, r)
	}
	for i := range h.Require {
		q, err := h.Require[i].build(ctx)
		if err != nil {
			return err
		}
		cfg.Require = append(cfg.Require, q)
	}
	return nil
}

func (h *Handler) buildRest(cfg *gateway.Config) (err error) {
	if cfg.Accept, err = specs(h.Accept); err != nil {
		return err
	}
	if cfg.Trust, err = trusted(h.Trust); err != nil {
		return err
	}
	if cfg.Paths, err = h.Paths.build(); err != nil {
		return err
	}
	if h.Rate != nil {
		if cfg.Rate, err = h.Rate.build(); err != nil {
			return err
		}
	}
	if h.Identity == nil {
		return nil
	}
	cfg.KeepCredentials = h.Identity.KeepCredentials
	if a := h.Identity.Assertion; a != nil {
		built := a.build()
		cfg.Assertion = &built
	}
	cfg.Fields, err = h.Identity.build()
	return err
}
