package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-auth/gatehouse/internal/store/redisstore"
)

// The stores that exist.
const (
	engineSQLite   = "sqlite"
	enginePostgres = "postgres"
	engineRedis    = "redis"
)

var engines = []string{engineSQLite, enginePostgres}

// The bounds of options of stores.
const (
	leastConnections = 4 // to read, write and follow changes beside each other
	mostConnections  = 1000
	mostReplicas     = 16
)

// engine returns the engine of a store; nil is the default.
func (s *Store) engine() string {
	if s == nil || s.Engine == "" {
		return engineSQLite
	}
	return s.Engine
}

// check holds a store against what exists.
func (s *Store) check() error {
	if s == nil {
		return nil
	}
	switch s.engine() {
	case engineSQLite:
		if s.URL != "" || s.MaxConnections != 0 {
			return errors.New("store sqlite takes a file, no url and no max_connections")
		}
		return nil
	case enginePostgres:
		return s.checkPostgres()
	}
	return fmt.Errorf("there is no store %q: it can be %s", s.Engine, alternatives(engines))
}

func (s *Store) checkPostgres() error {
	if s.URL == "" || s.Path != "" {
		return errors.New("store postgres needs a url and takes no file")
	}
	if n := s.MaxConnections; n != 0 && (n < leastConnections || n > mostConnections) {
		return fmt.Errorf("max_connections %d must be %d to %d", n, leastConnections, mostConnections)
	}
	return nil
}

// check holds sessions that are kept apart against what exists.
func (s *Sessions) check() error {
	if s == nil {
		return nil
	}
	if !slices.Contains([]string{"", engineRedis}, s.Engine) {
		return fmt.Errorf("there are no sessions in %q: it can be %s", s.Engine, engineRedis)
	}
	if s.URL == "" {
		return errors.New("sessions redis needs a url")
	}
	if s.Replicas < 0 || s.Replicas > mostReplicas {
		return fmt.Errorf("replicas %d must be 0 to %d", s.Replicas, mostReplicas)
	}
	if s.ReplicasTimeout != 0 && s.Replicas == 0 {
		return errors.New("replicas_timeout needs replicas beside it")
	}
	if s.ReplicasTimeout > caddy.Duration(redisstore.DefaultTimeout) {
		return fmt.Errorf("replicas_timeout %s must be %s at most, which is all that an exchange may take",
			time.Duration(s.ReplicasTimeout), redisstore.DefaultTimeout)
	}
	return checkNotNegative("replicas_timeout", s.ReplicasTimeout)
}
