package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
)

var errEmptyIdentity = errors.New("identity says nothing: it takes header, assertion and keep_credentials")

// check holds a store against what exists.
func (s *Store) check() error {
	if s.Engine != "" && !slices.Contains(engines, s.Engine) {
		return fmt.Errorf("there is no store %q: it can be %s", s.Engine, alternatives(engines))
	}
	return nil
}

// check holds the shared configuration against its rules.
func (a *App) check() error {
	if err := checkNotNegative("max_staleness", a.MaxStaleness); err != nil {
		return err
	}
	if err := checkKeyLifetime(a.SigningKeyLifetime); err != nil {
		return err
	}
	if a.Store == nil {
		return nil
	}
	return a.Store.check()
}

// minKeyLifetime keeps keys from piling up: each stays until what it signed has
// expired.
const minKeyLifetime = time.Hour

// checkKeyLifetime takes 0, which is the default, and less, which is for ever.
func checkKeyLifetime(d caddy.Duration) error {
	if d > 0 && time.Duration(d) < minKeyLifetime {
		return fmt.Errorf("signing_key_lifetime %s must be %s or more, or off", time.Duration(d), minKeyLifetime)
	}
	return nil
}
