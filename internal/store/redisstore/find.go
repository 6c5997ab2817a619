package redisstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// MaxScan is how many rows a query may look at. One that an index narrows
	// looks at what that leads to, any other at every row of the store.
	MaxScan = 200_000
	// readStep is how many rows are read at once.
	readStep = 256
)

// FindSessions implements [store.Sessions]. The engine has no query language:
// the rows that the filter's narrowest names lead to are read and then looked
// at here. A query that would look at more than [MaxScan] rows is
// [auth.Malformed].
func (s *Sessions) FindSessions(ctx context.Context, realm string, q store.SessionQuery) (rows []store.Session, total int, err error) {
	defer s.observed("find_sessions", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer done()
	page, err := q.Page.Bounds()
	if err != nil {
		return nil, 0, err
	}
	if err := q.Check(); err != nil {
		return nil, 0, err
	}
	ctx = store.WithoutBudget(ctx) // it goes on while the server answers
	names, err := s.candidates(ctx, narrow(realm, q.Where))
	if err != nil {
		return nil, 0, failure(err)
	}
	now := s.now()
	err = s.read(ctx, names, func(row store.Session) {
		if row.Realm == realm && now.Before(row.Keep) && q.Where.Selects(row) {
			rows = append(rows, row)
		}
	})
	if err != nil {
		return nil, 0, failure(err)
	}
	slices.SortFunc(rows, q.Compare)
	total = len(rows)
	rows = rows[min(page.Offset, total):]
	return rows[:min(page.Limit, len(rows))], total, nil
}

// candidates returns the names of the rows that the sources lead to, each once.
func (s *Sessions) candidates(ctx context.Context, sources []string) (names []string, err error) {
	var commands rueidis.Commands
	for _, source := range sources {
		switch source[0] {
		case rowName:
			names = append(names, source)
		case digestName:
			commands = append(commands, s.client.B().Get().Key(s.prefix+source).Build())
		default:
			commands = append(commands, s.client.B().Zrange().Key(s.prefix+source).Min("0").Max(decimal(MaxScan)).Build())
		}
	}
	results, err := s.doMulti(ctx, commands)
	if err != nil {
		return nil, err
	}
	for _, result := range results {
		found, err := list(result)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
		if len(names) > MaxScan {
			return nil, auth.Fail(auth.Malformed, auth.ReasonTooLarge,
				fmt.Errorf("the query looks at more than %d sessions: narrow it by subject, tenant, family or identity", MaxScan))
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// list is the one name or the names of a reply.
func list(result rueidis.RedisResult) ([]string, error) {
	if one, err := result.ToString(); err == nil {
		return []string{one}, nil
	}
	if err := result.Error(); err != nil {
		if rueidis.IsRedisNil(err) {
			return nil, nil
		}
		return nil, err
	}
	return result.AsStrSlice()
}

// read calls each with the rows of these names that are there.
func (s *Sessions) read(ctx context.Context, names []string, each func(store.Session)) error {
	for part := range slices.Chunk(names, readStep) {
		keys := make([]string, len(part))
		for i, name := range part {
			keys[i] = s.prefix + name
		}
		results, err := s.doMulti(ctx, rueidis.Commands{s.client.B().Mget().Key(keys...).Build()})
		if err != nil {
			return err
		}
		texts, err := results[0].ToArray()
		if err != nil {
			return err
		}
		for _, text := range texts {
			if err := visit(text, each); err != nil {
				return err
			}
		}
	}
	return nil
}

func visit(text rueidis.RedisMessage, each func(store.Session)) error {
	if text.IsNil() {
		return nil
	}
	value, err := text.ToString()
	if err != nil {
		return err
	}
	row, err := decode(value)
	if err == nil {
		each(row)
	}
	return err
}

// doMulti sends reading commands together.
func (s *Sessions) doMulti(ctx context.Context, commands rueidis.Commands) (results []rueidis.RedisResult, err error) {
	if len(commands) == 0 {
		return nil, nil
	}
	err = s.exchange(ctx, query, func(ctx context.Context) { results = s.client.DoMulti(ctx, commands...) })
	return results, err
}
