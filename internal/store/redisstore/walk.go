package redisstore

import (
	"context"
	_ "embed" // for the script below
	"encoding/base64"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// walkStep is how many names the server is asked for at once; it may return
// some more.
const walkStep = 1000

//go:embed scripts/reseal.lua
var resealText string

var resealScript = newScript(adds, resealText)

// Walk calls each once with every session of every realm that is there from the
// beginning to the end of the call, in no order. It keeps the names of all of
// them in memory, some 100 bytes for each. An error of each ends the walk.
func (s *Sessions) Walk(ctx context.Context, each func(store.Session) error) (err error) {
	defer s.observed("walk_sessions", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	seen := map[string]bool{} // a scan may return a name twice
	for cursor := uint64(0); ; {
		page, err := s.scan(ctx, cursor)
		if err != nil {
			return failure(err)
		}
		var names []string
		for i := 0; i < len(page.Elements); i += 2 { // each followed by its score
			if name := page.Elements[i]; !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
		if err := s.visitAll(ctx, names, each); err != nil {
			return err
		}
		if cursor = page.Cursor; cursor == 0 {
			return nil
		}
	}
}

func (s *Sessions) scan(ctx context.Context, cursor uint64) (rueidis.ScanEntry, error) {
	var result rueidis.RedisResult
	err := s.exchange(ctx, query, func(ctx context.Context) {
		result = s.client.Do(ctx, s.client.B().Zscan().Key(s.prefix+everyRow).Cursor(cursor).Count(walkStep).Build())
	})
	if err != nil {
		return rueidis.ScanEntry{}, err
	}
	return result.AsScanEntry()
}

// visitAll hands over the rows of these names that are live.
func (s *Sessions) visitAll(ctx context.Context, names []string, each func(store.Session) error) (told error) {
	now := s.now()
	err := s.read(ctx, names, func(row store.Session) {
		if told == nil && now.Before(row.Keep) {
			told = each(row)
		}
	})
	if told != nil {
		return told
	}
	return failure(err)
}

// WalkSealed implements [store.SealedSessions].
func (s *Sessions) WalkSealed(ctx context.Context, each func(store.SealedRow) error) error {
	return s.Walk(ctx, func(row store.Session) error {
		if len(row.Sealed) == 0 {
			return nil
		}
		return each(store.SealedRow{Realm: row.Realm, ID: row.ID, Sealed: row.Sealed})
	})
}

// ResealSession implements [store.SealedSessions].
func (s *Sessions) ResealSession(ctx context.Context, row store.SealedRow, sealed []byte) (err error) {
	defer s.observed("reseal_session", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	text := base64.StdEncoding.EncodeToString
	result, err := s.run(ctx, resealScript, rowOf(row.Realm, row.ID), text(row.Sealed), text(sealed))
	if err != nil {
		return failure(err)
	}
	n, err := result.AsInt64()
	if err == nil && n == 0 {
		return conflict()
	}
	return failure(err)
}
