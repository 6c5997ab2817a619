package memstore

import (
	"bytes"
	"context"
	"slices"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func (m *memory) WalkSealed(ctx context.Context, each func(store.SealedRow) error) error {
	var rows []store.SealedRow
	err := m.locked(ctx, func() error {
		for _, r := range m.realms {
			for _, s := range r.sessions {
				if len(s.Sealed) > 0 {
					rows = append(rows, store.SealedRow{Realm: s.Realm, ID: s.ID, Sealed: slices.Clone(s.Sealed)})
				}
			}
		}
		return nil
	})
	for _, row := range rows {
		if err := each(row); err != nil {
			return err
		}
	}
	return err
}

func (m *memory) ResealSession(ctx context.Context, row store.SealedRow, sealed []byte) error {
	return m.locked(ctx, func() error {
		r := m.realm(row.Realm)
		s, ok := r.sessions[row.ID]
		if !ok || !bytes.Equal(s.Sealed, row.Sealed) {
			return conflict()
		}
		s.Sealed = slices.Clone(sealed)
		r.sessions[row.ID] = s
		return nil
	})
}

func (m *memory) ResealSigningKey(ctx context.Context, id string, old, sealed []byte) error {
	return m.locked(ctx, func() error {
		k, ok := m.signing[id]
		if !ok || !bytes.Equal(k.Sealed, old) {
			return conflict()
		}
		k.Sealed = slices.Clone(sealed)
		m.signing[id] = k
		return nil
	})
}

func (m *memory) CountCodes(ctx context.Context) (n int, err error) {
	err = m.locked(ctx, func() error {
		for _, r := range m.realms {
			n += len(r.identifierCodes)
		}
		return nil
	})
	return n, err
}
