package redisstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redis/rueidis"
)

// Report is what a look at a place for sessions found.
type Report struct {
	// Places are the servers, without a password.
	Places []string
	// Problems are what makes it unfit, Notices what its operator should know;
	// a sentence each.
	Problems, Notices []string
}

// Inspect looks at a place for sessions and changes nothing of it. The error is
// of one that cannot be reached.
func Inspect(ctx context.Context, o Options) (Report, error) {
	var r Report
	o = o.withDefaults()
	where, err := place(o)
	if err != nil {
		return r, err
	}
	client, err := rueidis.NewClient(where)
	if err != nil {
		return r, fmt.Errorf("the session store cannot be opened: %w", err)
	}
	defer client.Close()
	nodes := client.Nodes()
	for _, address := range slices.Sorted(maps.Keys(nodes)) {
		r.Places = append(r.Places, address)
		if err := r.inspect(ctx, address, nodes[address], o); err != nil {
			return r, fmt.Errorf("the session store at %s: %w", address, err)
		}
	}
	return r, nil
}

// durability are settings with which answered sessions or revocations are lost.
var durability = []struct{ name, bad, consequence string }{
	{"appendonly", "no", "a restart of the server forgets sessions and revives revoked ones: set it to yes"},
	{"appendfsync", "no", "a crash of the machine loses what the system has not written yet, up to half a minute: set it to everysec or always"},
}

func (r *Report) inspect(ctx context.Context, address string, node rueidis.Client, o Options) error {
	s := &Sessions{o: o}
	if err := s.inspectVersion(ctx, node); err != nil {
		if _, told := rueidis.IsRedisErr(err); told || errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		r.problem(address, "%v", err)
	}
	settings, err := node.Do(ctx, node.B().ConfigGet().Parameter("maxmemory-policy", "appendonly", "appendfsync",
		"min-replicas-to-write").Build()).AsStrMap()
	if _, told := rueidis.IsRedisErr(err); told {
		r.notice(address, "does not tell its settings: see to it that maxmemory-policy is noeviction and appendonly is yes")
		return nil
	}
	if err != nil {
		return err
	}
	if policy := settings["maxmemory-policy"]; policy != "noeviction" {
		r.problem(address, "has the maxmemory-policy %s, with which it drops sessions and revocations when its memory is full: set it to noeviction", policy)
	}
	for _, d := range durability {
		if settings[d.name] == d.bad {
			r.problem(address, "has %s %s, with which %s", d.name, d.bad, d.consequence)
			break // without a file nothing is synced
		}
	}
	if settings["appendonly"] == "yes" && settings["appendfsync"] == "everysec" {
		r.notice(address, "has appendfsync everysec: a crash of the machine loses up to a second or two of answered logins and revocations; always loses none")
	}
	if n := settings["min-replicas-to-write"]; n == "0" || n == "" {
		r.notice(address, "has min-replicas-to-write 0: cut off from its replicas it takes writes that a failover loses")
	}
	return nil
}

func (r *Report) problem(address, format string, args ...any) {
	r.Problems = append(r.Problems, said(address, format, args...))
}

func (r *Report) notice(address, format string, args ...any) {
	r.Notices = append(r.Notices, said(address, format, args...))
}

func said(address, format string, args ...any) string {
	text := fmt.Sprintf(format, args...)
	if strings.HasPrefix(text, "its ") {
		return "the session store at " + address + ": " + text
	}
	return "the session store at " + address + " " + text
}
