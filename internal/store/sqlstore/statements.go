package sqlstore

import (
	"context"
	"database/sql"
	"sync"
)

// preparer is a [sql.DB], whose statements run on any of its connections, or
// a [sql.Conn], whose statements run there.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statements prepares each query once and keeps it. Queries are constants, or
// are put together from few parts, so that there are few.
type statements struct {
	on     preparer
	rebind func(string) string

	mu       sync.RWMutex
	prepared map[string]*sql.Stmt
}

func newStatements(on preparer, rebind func(string) string) *statements {
	return &statements{on: on, rebind: rebind, prepared: make(map[string]*sql.Stmt)}
}

// of returns the statement of a query.
func (s *statements) of(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.RLock()
	st := s.prepared[query]
	s.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	return s.prepare(ctx, query)
}

func (s *statements) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.prepared[query]; st != nil {
		return st, nil
	}
	st, err := s.on.PrepareContext(ctx, s.rebind(query))
	if err != nil {
		return nil, err
	}
	s.prepared[query] = st
	return st, nil
}

// each hands over the rows that a query yields.
func (s *statements) each(ctx context.Context, query string, args []any, row func(scanner) error) error {
	st, err := s.of(ctx, query)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, row)
}

// eachRow hands over rows and closes them.
func eachRow(rows *sql.Rows, row func(scanner) error) error {
	defer func() { _ = rows.Close() }() // Err has said what there is
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// close lets go of all statements. Their connections are closed afterwards,
// which reports what matters.
func (s *statements) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.prepared {
		_ = st.Close()
	}
	clear(s.prepared)
}
