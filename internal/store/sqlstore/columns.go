package sqlstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Rows are encoded before they are handed to the committer: that keeps the
// work out of the one goroutine that writes, and a caller who gave up may
// change its slices while the write is still under way.

// millis is an instant as unix milliseconds. The zero time, which stands for
// none, is that of the year 1: before all that is, and not the epoch.
func millis(t store.Time) int64 { return t.UnixMilli() }

// fromMillis is the reverse of millis.
func fromMillis(n int64) store.Time { return time.UnixMilli(n).UTC() }

// listText is a list as a JSON array, "" for an empty one. Lists of strings
// and prefixes always have a JSON form.
func listText[T any](list []T) string {
	if len(list) == 0 {
		return ""
	}
	text, _ := json.Marshal(list)
	return string(text)
}

// digestBytes is a digest as 32 bytes, nil (null) for the zero digest.
func digestBytes(d auth.Digest) any {
	if d.IsZero() {
		return nil
	}
	return d[:]
}

// blob is a copy of b, nil (null) for an empty one.
func blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}

// The types below read a column into a member of a row: a pointer to the
// member is converted to a pointer to the type.
type (
	timeColumn     time.Time
	durationColumn time.Duration
	digestColumn   auth.Digest
	secretColumn   auth.Secret

	listColumn[T any] []T

	stringsColumn  = listColumn[string]
	prefixesColumn = listColumn[netip.Prefix]
)

// Scan implements [database/sql.Scanner].
func (c *timeColumn) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return unreadable("time", v)
	}
	*c = timeColumn(fromMillis(n))
	return nil
}

// Scan implements [database/sql.Scanner].
func (c *durationColumn) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return unreadable("duration", v)
	}
	*c = durationColumn(time.Duration(n) * time.Millisecond)
	return nil
}

// Scan implements [database/sql.Scanner].
func (c *digestColumn) Scan(v any) error {
	if v == nil {
		*c = digestColumn{}
		return nil
	}
	b, ok := v.([]byte)
	if !ok || len(b) != len(c) {
		return unreadable("digest", v)
	}
	*c = digestColumn(b)
	return nil
}

// Scan implements [database/sql.Scanner].
func (c *secretColumn) Scan(v any) error {
	s, ok := v.(string)
	if !ok {
		return unreadable("secret", v)
	}
	*c = secretColumn(auth.NewSecret(s))
	return nil
}

// Scan implements [database/sql.Scanner].
func (c *listColumn[T]) Scan(v any) error {
	*c = nil
	if v == "" {
		return nil
	}
	return scanJSON(v, (*[]T)(c))
}

// jsonColumn reads a column that holds JSON.
type jsonColumn[T any] struct{ to *T }

// Scan implements [database/sql.Scanner].
func (c jsonColumn[T]) Scan(v any) error { return scanJSON(v, c.to) }

func scanJSON[T any](v any, to *T) error {
	s, ok := v.(string)
	if !ok {
		return unreadable("JSON", v)
	}
	if err := json.Unmarshal([]byte(s), to); err != nil {
		return auth.Fail(auth.Internal, auth.ReasonStore, errors.New("a column holds broken JSON"))
	}
	return nil
}

// unreadable names the type of v only: the value may be a secret.
func unreadable(what string, v any) error {
	return auth.Fail(auth.Internal, auth.ReasonStore, fmt.Errorf("a column of type %T is no %s", v, what))
}

// appendNew appends s where the list lacks it.
func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
