package caddymodule

import (
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// parseStore reads
//
//	store sqlite [<file>]
//	store postgres <url> {
//	    max_connections <n>
//	}
func (a *App) parseStore(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) < 1 || len(args) > 2 {
		return wrongCount(d, "store sqlite [<file>] or store postgres <url>")
	}
	a.Store = &Store{Engine: args[0]}
	if len(args) == 2 {
		if args[1] == "" && args[0] == engineSQLite {
			return d.Err("store sqlite: the name of its file is empty")
		}
		a.Store.place(args[1])
	}
	if err := located(d, a.Store.check()); err != nil {
		return err
	}
	return eachLine(d, func(word string) error {
		if a.Store.engine() != enginePostgres {
			return d.Errf("store %s has no options", a.Store.engine())
		}
		if word != "max_connections" {
			return unknownWord(d, "store postgres", []string{"max_connections"})
		}
		var err error
		if a.Store.MaxConnections, err = number(d, a.Store.MaxConnections); err != nil {
			return err
		}
		return located(d, a.Store.check())
	})
}

// place notes where the store is: a URL or a file.
func (s *Store) place(text string) {
	if s.engine() == enginePostgres {
		s.URL = text
		return
	}
	s.Path = text
}

// parseSessions reads
//
//	sessions redis <url> {
//	    replicas         <n>
//	    replicas_timeout <duration>
//	}
func (a *App) parseSessions(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return wrongCount(d, "sessions redis <url>")
	}
	s, at := &Sessions{Engine: args[0], URL: args[1]}, d.Token()
	a.Sessions = s
	if err := located(d, s.check()); err != nil {
		return err
	}
	err := eachLine(d, func(word string) (err error) {
		switch word {
		case "replicas":
			if s.Replicas, err = number(d, s.Replicas); err != nil {
				return err
			}
			return located(d, checkReplicas(s.Replicas))
		case "replicas_timeout":
			if s.ReplicasTimeout != 0 {
				return d.Err("replicas_timeout stands twice")
			}
			if err := durationLine(d, &s.ReplicasTimeout); err != nil {
				return err
			}
			return located(d, checkReplicasTimeout(time.Duration(s.ReplicasTimeout)))
		}
		return unknownWord(d, "sessions", []string{"replicas", "replicas_timeout"})
	})
	if err != nil {
		return err
	}
	return errAt(at, s.check())
}

// eachLine has do read each line of the block that follows, if there is one, by
// its first word.
func eachLine(d *caddyfile.Dispenser, do func(word string) error) error {
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := do(d.Val()); err != nil {
			return err
		}
	}
	return nil
}

// number reads the one argument of the word that the dispenser is at; earlier
// is what stood there before, 0 for nothing.
func number(d *caddyfile.Dispenser, earlier int) (int, error) {
	word := d.Val()
	if earlier != 0 {
		return 0, d.Errf("%s stands twice", word)
	}
	text, err := oneArg(d, word+" <n>")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, d.Errf("%s %q: it must be a whole number of 1 or more", word, text)
	}
	return n, nil
}
