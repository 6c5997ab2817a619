package caddymodule

import (
	"errors"
	"fmt"
	"slices"
)

var errEmptyIdentity = errors.New("identity says nothing: it takes header and keep_credentials")

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
	if a.Store == nil {
		return nil
	}
	return a.Store.check()
}
