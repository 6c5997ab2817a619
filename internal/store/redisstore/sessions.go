package redisstore

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// InsertSession implements [store.Sessions].
func (s *Sessions) InsertSession(ctx context.Context, rows ...store.Session) (err error) {
	defer s.observed("insert_session", time.Now(), &err)
	return s.put(ctx, store.Session{}, 0, rows)
}

// ExchangeSession implements [store.Sessions].
func (s *Sessions) ExchangeSession(ctx context.Context, old store.Session, next ...store.Session) (err error) {
	defer s.observed("exchange_session", time.Now(), &err)
	version := old.Version
	old.Version++
	return s.put(ctx, old, version, append([]store.Session{old}, next...))
}

// put adds rows, all or none, and first takes out old where it has an id.
func (s *Sessions) put(ctx context.Context, old store.Session, version int64, rows []store.Session) error {
	done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if len(rows) == 0 {
		return nil
	}
	args := []string{rand.Text(), "", "", old.Realm, old.ID}
	if old.ID != "" {
		args[1], args[2] = rowOf(old.Realm, old.ID), decimal(version)
	}
	for _, r := range rows {
		if err := r.Check(); err != nil {
			return err
		}
		encoded, err := encode(r)
		if err != nil {
			return err
		}
		args = append(args, encoded...)
	}
	result, err := s.run(ctx, putScript, args...)
	if noRoom(err) {
		s.pace.full(time.Now())
	}
	reply, err := outcome(result, err)
	if err != nil {
		return err
	}
	return s.deliver(reply)
}

// outcome reads what the script of a put answers.
func outcome(result rueidis.RedisResult, err error) (entered rueidis.RedisMessage, _ error) {
	if err != nil {
		return entered, failure(err)
	}
	reply, err := result.ToArray()
	if err != nil || len(reply) == 0 {
		return entered, unavailable(errReply)
	}
	switch word, _ := reply[0].ToString(); word {
	case "ok":
		return reply[len(reply)-1], nil
	case "absent":
		return entered, absent()
	case "conflict":
		return entered, conflict()
	}
	return entered, unavailable(errReply)
}

// Session implements [store.Sessions].
func (s *Sessions) Session(ctx context.Context, realm string, by store.SessionRef) (row store.Session, err error) {
	defer s.observed("session", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return row, err
	}
	defer done()
	text, err := s.find(ctx, realm, by)
	if err != nil {
		return row, failure(err)
	}
	if row, err = decode(text); err != nil {
		return store.Session{}, err
	}
	if !s.now().Before(row.Keep) || !names(by, row) {
		return store.Session{}, absent()
	}
	return row, nil
}

// find returns the stored text of a row.
func (s *Sessions) find(ctx context.Context, realm string, by store.SessionRef) (string, error) {
	switch by {
	case store.SessionRef{}:
	case store.SessionRef{ID: by.ID}:
		var result rueidis.RedisResult
		err := s.exchange(ctx, lookUp, func(ctx context.Context) {
			result = s.client.Do(ctx, s.client.B().Get().Key(s.prefix+rowOf(realm, by.ID)).Build())
		})
		if err != nil {
			return "", err
		}
		return result.ToString()
	case store.SessionRef{Digest: by.Digest}:
		return s.follow(ctx, digestOf(realm, by.Digest))
	case store.SessionRef{Slot: by.Slot}:
		return s.follow(ctx, name(slotName, realm, by.Slot))
	}
	return "", malformed("a session is named by one of digest, id and slot")
}

// follow returns the row that a digest or a slot leads to.
func (s *Sessions) follow(ctx context.Context, pointer string) (string, error) {
	result, err := s.run(ctx, sessionScript, pointer)
	if err != nil {
		return "", err
	}
	return result.ToString()
}

// names reports whether by names this row: a pointer that outlived what it led
// to leads nowhere.
func names(by store.SessionRef, row store.Session) bool {
	return (by.ID == "" || by.ID == row.ID) && (by.Slot == "" || by.Slot == row.Slot) &&
		(by.Digest.IsZero() || by.Digest.Equal(row.Digest))
}

// TouchSession implements [store.Sessions]. It is written at once.
func (s *Sessions) TouchSession(ctx context.Context, realm, id string, at store.Time) (err error) {
	defer s.observed("touch_session", time.Now(), &err)
	done, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	_, err = s.run(ctx, touchScript, rowOf(realm, id), decimal(millis(at)))
	return failure(err)
}
