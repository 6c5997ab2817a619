package caddymodule

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/issuer"
)

// build returns an outside issuer as the gateway takes it.
func (t *Trust) build() issuer.Config {
	return issuer.Config{
		URL: t.Issuer, Audiences: t.Audiences, JWKS: t.JWKS, Algorithms: t.Algorithms, Types: t.Types, Claims: t.Claims,
	}
}

// check asks nobody: an issuer that is down is no fault of a configuration.
func (t *Trust) check() error {
	if _, err := issuer.New(t.build()); err != nil {
		return fmt.Errorf("trust %s: %w", t.Issuer, err)
	}
	return nil
}

// trusted returns outside issuers as the gateway takes them, each once.
func trusted(all []Trust) ([]issuer.Config, error) {
	var built []issuer.Config
	for i := range all {
		if err := all[i].check(); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(built, func(c issuer.Config) bool { return c.URL == all[i].Issuer }) {
			return nil, fmt.Errorf("trust %s stands twice", all[i].Issuer)
		}
		built = append(built, all[i].build())
	}
	return built, nil
}

// checkTrust refuses issuers whose tokens could not be presented.
func (h *Handler) checkTrust() error {
	bearer := func(a Accept) bool { return a.Kind == string(auth.Bearer) }
	if len(h.Trust) > 0 && len(h.Accept) > 0 && !slices.ContainsFunc(h.Accept, bearer) {
		return errors.New("trust: the tokens of an outside issuer are bearer tokens: accept bearer too")
	}
	return nil
}
