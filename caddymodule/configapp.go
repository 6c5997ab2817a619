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
	if err := checkMaxStaleness(a.MaxStaleness); err != nil {
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

// minMaxStaleness is the least for which a feed can be heard often enough.
const minMaxStaleness = 100 * time.Millisecond

// checkMaxStaleness takes 0, which is the default.
func checkMaxStaleness(d caddy.Duration) error {
	if d != 0 && time.Duration(d) < minMaxStaleness {
		return fmt.Errorf("max_staleness %s must be %s or more: the store is asked for changes three times within it", time.Duration(d), minMaxStaleness)
	}
	return nil
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
