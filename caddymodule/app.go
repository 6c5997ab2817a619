package caddymodule

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// appState is what an [App] holds beside its configuration.
type appState struct {
	ctx caddy.Context
	log *zap.Logger
	at  storage
	// ring is nil where the key ring is kept in Caddy's storage.
	ring   *token.Ring
	key    string
	shared *sharedRuntime

	mu    sync.Mutex
	sites []*gateway.Site
}

// startTimeout bounds opening the store and reading the key ring.
const startTimeout = 30 * time.Second

// Provision checks the configuration and reads the files that it names. It
// opens nothing: a configuration that is only looked at must leave no trace.
func (a *App) Provision(ctx caddy.Context) error {
	a.state.ctx, a.state.log = ctx, ctx.Logger()
	if err := a.check(); err != nil {
		return err
	}
	if err := a.resolve(); err != nil {
		return err
	}
	if err := figures.register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	shared, err := acquire(a.state.key)
	a.state.shared = shared
	return err
}

// resolve replaces placeholders and reads the key ring.
func (a *App) resolve() error {
	repl := caddy.NewReplacer()
	var err error
	if a.state.at, err = a.storage(repl); err != nil {
		return err
	}
	if a.state.key, err = a.state.at.key(); err != nil || len(a.KeyRing) == 0 {
		return err
	}
	// A key that was replaced in its file counts from the next reload on.
	var digest string
	a.state.ring, digest, err = readRing(repl, a.KeyRing)
	a.state.key += "\x00" + digest
	return err
}

// Start opens the store, unless a configuration before this one has it open,
// and lets the guards of this configuration answer.
func (a *App) Start() error {
	if err := a.checkExposure(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(a.state.ctx, startTimeout)
	defer cancel()
	if err := a.state.shared.open(func() (*gateway.Runtime, error) { return a.open(ctx) }); err != nil {
		return err
	}
	rt := a.state.shared.runtime()
	rt.Resolver.SetMaxStaleness(time.Duration(a.MaxStaleness))
	rt.Resolver.SetGrace(time.Duration(a.Grace))
	rt.SetKeyLifetime(time.Duration(a.SigningKeyLifetime))
	a.state.mu.Lock()
	defer a.state.mu.Unlock()
	for _, s := range a.state.sites {
		a.state.shared.bind(s)
	}
	return nil
}

// Stop does nothing: guards go on answering until their server has shut down,
// and Cleanup follows.
func (a *App) Stop() error { return nil }

// Cleanup lets go of the runtime; the last configuration closes it.
func (a *App) Cleanup() error {
	if a.state.shared == nil {
		return nil
	}
	a.state.shared = nil
	_, err := runtimes.Delete(a.state.key)
	return err
}

// add has a guard answer as soon as the store is open: at once, where the
// configuration before this one has opened it, so that a reload leaves no gap.
func (a *App) add(s *gateway.Site) {
	a.state.mu.Lock()
	defer a.state.mu.Unlock()
	a.state.sites = append(a.state.sites, s)
	a.state.shared.bind(s)
}
