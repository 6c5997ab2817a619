package sqlstore

import (
	"context"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// RevokeSessions implements [store.Sessions].
func (d *database) RevokeSessions(ctx context.Context, realm string, m store.SessionMatch) (int, error) {
	if m.Zero() {
		return 0, nil
	}
	where, values := matchSessions(realm, m)
	return result(ctx, d, "revoke_sessions", func(t *tx) (n int, err error) {
		err = t.whole(func() error {
			n, err = t.revokeSessions(realm, m, where, append(values, millis(t.now)))
			return err
		})
		return n, err
	})
}

// revokeSessions removes rows and records what their owners are to forget: one
// change for all sessions of a subject, a key or a tenant, else one for each.
func (t *tx) revokeSessions(realm string, m store.SessionMatch, where string, values []any) (int, error) {
	remove := `DELETE FROM sessions WHERE ` + where + ` AND keep > ?`
	if m.Subject != "" || m.KeyID != 0 || m.Tenant != "" {
		n, err := t.removeBy(remove, values...)
		if err != nil {
			return 0, err
		}
		return n, t.recordOwner(realm, m)
	}
	return t.remove(func() (int, error) {
		ids, err := t.texts(remove+` RETURNING id`, values...)
		for _, id := range ids {
			if err == nil {
				err = t.record(realm, store.SessionChanged, id)
			}
		}
		return len(ids), err
	})
}

// recordOwner records a change of the subject, the key or the tenant, even where
// it had no session: one may be on its way into a cache.
func (t *tx) recordOwner(realm string, m store.SessionMatch) error {
	if m.Subject != "" {
		return t.record(realm, store.SubjectChanged, m.Subject)
	}
	if m.KeyID != 0 {
		return t.record(realm, store.KeyChanged, strconv.FormatInt(m.KeyID, 10))
	}
	return t.record(realm, store.TenantChanged, m.Tenant)
}

// matchSessions returns the condition that m stands for. Beside the value it
// says that there is one, which is what the partial indexes are over.
func matchSessions(realm string, m store.SessionMatch) (where string, values []any) {
	terms := []string{"realm = ?"}
	values = []any{realm}
	add := func(set bool, term string, value any) {
		if set {
			terms, values = append(terms, term), append(values, value)
		}
	}
	add(m.ID != "", "id = ?", m.ID)
	add(!m.Digest.IsZero(), "digest = ?", m.Digest[:])
	add(m.Subject != "", "subject <> '' AND subject = ?", m.Subject)
	add(m.Family != "", "family <> '' AND family = ?", m.Family)
	add(m.KeyID != 0, "key_id <> 0 AND key_id = ?", m.KeyID)
	add(m.Tenant != "", "tenant <> '' AND tenant = ?", m.Tenant)
	add(m.Unit != "", "unit = ?", m.Unit)
	add(m.Dialect != "", "dialect = ?", m.Dialect)
	return strings.Join(terms, " AND "), values
}
