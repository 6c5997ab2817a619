package redisstore

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// row is the part of a session that only this package reads. Times are in
// milliseconds.
type row struct {
	ID        string            `json:"id"`
	Realm     string            `json:"realm"`
	Digest    []byte            `json:"digest"`
	Sealed    []byte            `json:"sealed,omitempty"`
	Dialect   string            `json:"dialect,omitempty"`
	Kind      store.SessionKind `json:"kind,omitempty"`
	Subject   string            `json:"subject,omitempty"`
	Identity  string            `json:"identity,omitempty"`
	Associate string            `json:"associate,omitempty"`
	KeyID     int64             `json:"key,omitempty"`
	Tenant    string            `json:"tenant,omitempty"`
	Unit      string            `json:"unit,omitempty"`
	Scopes    auth.Scope        `json:"scopes,omitempty"`
	Flags     []string          `json:"flags,omitempty"`
	Slot      string            `json:"slot,omitempty"`
	Family    string            `json:"family,omitempty"`
	Issued    int64             `json:"issued"`
	Idle      int64             `json:"idle,omitempty"`
	Retired   int64             `json:"retired"`
}

var errRow = errors.New("a row of the session store cannot be read")

// encode returns a session as a script takes it, ten arguments.
func encode(s store.Session) ([]string, error) {
	body, err := json.Marshal(row{
		ID: s.ID, Realm: s.Realm, Digest: s.Digest[:], Sealed: s.Sealed, Dialect: s.Dialect, Kind: s.Kind,
		Subject: s.Subject, Identity: s.Identity, Associate: s.Associate, KeyID: s.KeyID, Tenant: s.Tenant,
		Unit: s.Unit, Scopes: s.Scopes, Flags: s.Flags, Slot: s.Slot, Family: s.Family,
		Issued: millis(s.Issued), Idle: s.Idle.Milliseconds(), Retired: millis(s.Retired),
	})
	if err != nil {
		return nil, auth.Fail(auth.Malformed, auth.ReasonForm, err)
	}
	return []string{
		rowOf(s.Realm, s.ID), decimal(s.Version), decimal(millis(s.Keep)), decimal(millis(s.Expires)), decimal(millis(s.Updated)),
		digestOf(s.Realm, s.Digest), optional(slotName, s.Realm, s.Slot), joined(marks(s)), joined(indexes(s)), string(body),
	}, nil
}

func joined(names []string) string {
	if len(names) == 0 {
		return none
	}
	return strings.Join(names, ",")
}

// decode reads what encode wrote and a script stored. What cannot be read is
// [auth.Internal]: nobody but this package writes it.
func decode(text string) (store.Session, error) {
	line, body, _ := strings.Cut(text, "\n")
	var r row
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return store.Session{}, auth.Fail(auth.Internal, auth.ReasonStore, errRow)
	}
	var version, keep, expires, updated int64
	columns := strings.SplitN(line, " ", 5)
	for i, n := range []*int64{&version, &keep, &expires, &updated} {
		if len(columns) < 5 || len(r.Digest) != len(auth.Digest{}) {
			return store.Session{}, auth.Fail(auth.Internal, auth.ReasonStore, errRow)
		}
		var err error
		if *n, err = strconv.ParseInt(columns[i], 10, 64); err != nil {
			return store.Session{}, auth.Fail(auth.Internal, auth.ReasonStore, errRow)
		}
	}
	return store.Session{
		ID: r.ID, Realm: r.Realm, Digest: auth.Digest(r.Digest), Sealed: r.Sealed, Dialect: r.Dialect, Kind: r.Kind,
		Subject: r.Subject, Identity: r.Identity, Associate: r.Associate, KeyID: r.KeyID, Tenant: r.Tenant,
		Unit: r.Unit, Scopes: r.Scopes, Flags: r.Flags, Slot: r.Slot, Family: r.Family,
		Issued: instant(r.Issued), Updated: instant(updated), Expires: instant(expires),
		Idle: time.Duration(r.Idle) * time.Millisecond, Retired: instant(r.Retired), Keep: instant(keep), Version: version,
	}, nil
}

// millis returns t as it is stored; the zero time has a number of its own.
func millis(t time.Time) int64 { return store.Precise(t).UnixMilli() }

func instant(ms int64) store.Time {
	if ms == millis(time.Time{}) {
		return store.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
