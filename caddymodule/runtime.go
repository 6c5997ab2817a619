package caddymodule

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/clock"
	"github.com/gatehouse-auth/gatehouse/internal/gateway"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// runtimes holds what survives a change of the configuration, by the store and
// key ring that it stands on. Two generations overlap at a reload: the new one
// takes its share before the old one lets go of its own.
var runtimes = caddy.NewUsagePool()

// figures outlive every configuration too.
var figures = newMetrics()

// sharedRuntime is a runtime that may not be open yet.
type sharedRuntime struct {
	mu    sync.Mutex
	rt    *gateway.Runtime
	leave func() // has the figures taken from it no more
}

// acquire takes a share of the runtime of that key; each needs its Delete.
func acquire(key string) (*sharedRuntime, error) {
	v, _, err := runtimes.LoadOrNew(key, func() (caddy.Destructor, error) { return new(sharedRuntime), nil })
	if err != nil {
		return nil, err
	}
	return v.(*sharedRuntime), nil
}

// open opens the runtime unless it is open.
func (s *sharedRuntime) open(do func() (*gateway.Runtime, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rt != nil {
		return nil
	}
	rt, err := do()
	if err != nil {
		return err
	}
	s.rt = rt
	s.leave = figures.follow(metricSources{Cache: rt.Resolver.Stats, HashQueue: rt.Hasher.Waiting, Feeds: rt.Resolver.Feeds})
	return nil
}

// bind lets a guard answer if the runtime is open. A second time does nothing.
func (s *sharedRuntime) bind(site *gateway.Site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rt != nil {
		site.Bind(s.rt)
	}
}

// Destruct closes what was opened; Caddy calls it when nobody has a share.
func (s *sharedRuntime) Destruct() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rt == nil {
		return nil
	}
	s.leave()
	err := s.rt.Close()
	s.rt = nil
	return err
}

// lockWait is how long a login or logout waits while a command writes to the
// same file. Commands hold its lock for milliseconds; one that is stuck must
// not hang those who wait, which may be twice as long, for a second.
const lockWait = 250 * time.Millisecond

// fileLookup is how long a guarded request waits for its look-up where that is in
// a file of this machine, which takes microseconds or meets a disk that does not
// answer, and in Redis once at most. Of a server of SQL it may take several calls,
// each of which is bounded there.
var fileLookup = 250 * time.Millisecond

// storeTime is how long a call of a dialect waits for the store in all.
var storeTime = gateway.DefaultStoreTime

// lookupTimeout is how long a look-up may take, 0 for the default.
func (s storage) lookupTimeout() time.Duration {
	if s.engine == engineSQLite {
		return fileLookup
	}
	return 0
}

// open opens the store and everything on it.
func (a *App) open(ctx context.Context) (*gateway.Runtime, error) {
	ring, err := a.ring(ctx)
	if err != nil {
		return nil, err
	}
	now := newClock(logSetBack).Now
	rows, err := a.state.at.open(ctx, sqlstore.Options{
		Now:      now,
		LockWait: lockWait,
		Observe:  figures.observeStore,
	}, func(text string) { a.state.log.Warn(text) })
	if err != nil {
		return nil, err
	}
	rt := gateway.NewRuntime(gateway.RuntimeConfig{
		Store: rows, Ring: ring, Now: now, MaxStaleness: time.Duration(a.MaxStaleness),
		Grace: time.Duration(a.Grace), LookupTimeout: a.state.at.lookupTimeout(), StoreTime: storeTime, KeyLifetime: time.Duration(a.SigningKeyLifetime),
		Failed: logFailed, Turned: logTurned,
	})
	// One clear error here in place of logins that are answered 500.
	if err := persist(ctx, rt.Signers.Load); err != nil {
		return nil, errors.Join(err, rt.Close())
	}
	return rt, nil
}

// A store that was opened a moment ago and is slow, as where everything was
// started at once, is asked again: a call is given less time than a start.
const (
	persistence  = 5 * time.Second
	persistPause = 100 * time.Millisecond
)

// persist repeats a call while the store is out of reach.
func persist(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, persistence)
	defer cancel()
	for {
		err := call(ctx)
		if err == nil || auth.CodeOf(err) != auth.Unavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(persistPause):
		}
	}
}

// currentLog is the log of the configuration that runs. A runtime outlives the
// configuration that opened it, and the logs of that one.
func currentLog() *zap.Logger { return caddy.Log().Named("gatehouse") }

// logFailed logs work in the background that failed.
func logFailed(work string, err error) {
	currentLog().Error("work in the background failed and will be tried again", zap.String("work", work), zap.Error(err))
}

// logTurned logs that a store was lost or is back, whatever the requests are that
// notice it: each of those has a line in the audit log.
func logTurned(of gateway.Part, lost error) {
	log := currentLog().With(zap.String("of", string(of)))
	if lost == nil {
		log.Info("the store is back")
		return
	}
	log.Error("the store is out of reach", zap.String("cause", admin.Text(lost)),
		zap.String("effect", "callers that are known pass for max_staleness and grace; then, and for all others at once, the answer is 503"))
}

// newClock makes the clock of a runtime; tests set another.
var newClock = clock.New

// logSetBack logs that the clock of the machine was set back.
func logSetBack(by time.Duration) {
	currentLog().Error("the clock of this machine was set back", zap.Duration("by", by),
		zap.String("effect", "tokens end as if it had not been, until it has caught up or the gateway is started anew"))
}

// runtime returns the runtime, nil before it is open.
func (s *sharedRuntime) runtime() *gateway.Runtime {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rt
}
