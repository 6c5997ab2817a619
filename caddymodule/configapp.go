package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

var errEmptyIdentity = errors.New("identity says nothing: it takes header, assertion and keep_credentials")

// check holds the shared configuration against its rules.
func (a *App) check() error {
	if err := checkNotNegative("max_staleness", a.MaxStaleness); err != nil {
		return err
	}
	if err := checkNotNegative("grace", a.Grace); err != nil {
		return err
	}
	if err := checkKeyLifetime(a.SigningKeyLifetime); err != nil {
		return err
	}
	if err := a.Store.check(); err != nil {
		return err
	}
	return a.Sessions.check()
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
