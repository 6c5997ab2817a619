package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
		return s.checkSQLite()
	case enginePostgres:
		return s.checkPostgres()
	}
	if hasScheme(s.Engine) { // with a password, maybe
		return fmt.Errorf("before the url of a store stands what it is: it can be %s", alternatives(engines))
	}
	return fmt.Errorf("there is no store %q: it can be %s", s.Engine, alternatives(engines))
}

func hasScheme(text string) bool { return strings.Contains(text, "://") }

func (s *Store) checkSQLite() error {
	if s.URL != "" || s.MaxConnections != 0 {
		return errNoFile
	}
	return checkStorePath(s.Path)
}

var errNoFile = errors.New("store sqlite takes a file, no url and no max_connections")

// checkStorePath refuses what others take for something else than the path of a
// file: here it would be one of that name. A URL is not repeated.
func checkStorePath(path string) error {
	switch {
	case hasScheme(path):
		return errNoFile
	case path == ":memory:" || strings.HasPrefix(path, "file:"):
		return fmt.Errorf("store sqlite %s: it must be the path of a file", path)
	}
	return nil
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
		return s.noEngine()
	}
	if s.URL == "" {
		return errors.New("sessions redis needs a url")
	}
	if err := checkReplicas(s.Replicas); err != nil {
		return err
	}
	if s.ReplicasTimeout != 0 && s.Replicas == 0 {
		return errors.New("replicas_timeout needs replicas beside it")
	}
	return checkReplicasTimeout(time.Duration(s.ReplicasTimeout))
}

func (s *Sessions) noEngine() error {
	if hasScheme(s.Engine) { // with a password, maybe
		return fmt.Errorf("before the url of sessions stands where they are: it can be %s", engineRedis)
	}
	return fmt.Errorf("there are no sessions in %q: it can be %s", s.Engine, engineRedis)
}

// checkReplicas takes 0 for none.
func checkReplicas(n int) error {
	if n < 0 || n > mostReplicas {
		return fmt.Errorf("replicas %d must be 1 to %d", n, mostReplicas)
	}
	return nil
}

// checkReplicasTimeout takes 0 for the default. Redis counts in milliseconds, and
// takes 0 of them for ever.
func checkReplicasTimeout(d time.Duration) error {
	if d != 0 && (d < time.Millisecond || d > redisstore.DefaultTimeout) {
		return fmt.Errorf("replicas_timeout %s must be %s to %s, which is all that an exchange may take",
			d, time.Millisecond, redisstore.DefaultTimeout)
	}
	return nil
}
