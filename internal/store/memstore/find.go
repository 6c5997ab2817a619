package memstore

import (
	"cmp"
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) FindSessions(ctx context.Context, realm string, q store.SessionQuery) (rows []store.Session, total int, err error) {
	if err := q.Check(); err != nil {
		return nil, 0, err
	}
	err = m.locked(ctx, func() error {
		for _, s := range m.realm(realm).sessions {
			if !m.past(s.Keep) && q.Where.Selects(s) {
				rows = append(rows, copySession(s))
			}
		}
		total = len(rows)
		slices.SortFunc(rows, q.Compare)
		rows, err = cut(rows, q.Page)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return rows, total, nil
}

func byID(a, b store.Session) int { return cmp.Compare(a.ID, b.ID) }
