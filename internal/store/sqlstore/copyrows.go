package sqlstore

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"strings"
)

// tuple is the values of a row, as both flavours have them: int64, string, []byte
// or nil.
type tuple []any

// cursor reads a table in the order of its key.
type cursor struct {
	rows  *sql.Rows
	table table
	row   tuple // nil at the end
}

// read begins to read a table.
func (s *side) read(ctx context.Context, conn *sql.Conn, t table) (*cursor, error) {
	rows, err := conn.QueryContext(ctx, `SELECT `+strings.Join(t.columns, ", ")+` FROM `+t.name+` ORDER BY `+strings.Join(t.key, ", ")) //nolint:rowserrcheck // the cursor does, in next
	if err != nil {
		return nil, err
	}
	return &cursor{rows: rows, table: t}, nil
}

func (c *cursor) close() { _ = c.rows.Close() } // Err has said what there is

// next moves to the next row.
func (c *cursor) next() error {
	c.row = nil
	if !c.rows.Next() {
		return c.rows.Err()
	}
	values := make(tuple, len(c.table.columns))
	to := make([]any, len(values))
	for i := range values {
		to[i] = &values[i]
	}
	if err := c.rows.Scan(to...); err != nil {
		return err
	}
	for i, v := range values {
		switch v := v.(type) {
		case nil, int64, string, []byte:
		case bool:
			values[i] = int64(0)
			if v {
				values[i] = int64(1)
			}
		default:
			return fmt.Errorf("a column of %s is a %T", c.table.name, v)
		}
	}
	c.row = values
	return nil
}

// values are a row as the side takes it.
func (s *side) values(t table, r tuple) []any {
	if s.flavour.alone || len(t.flags) == 0 {
		return r
	}
	r = slices.Clone(r)
	for _, name := range t.flags {
		i := slices.Index(t.columns, name)
		r[i] = r[i] == int64(1)
	}
	return r
}

// compareKeys orders two rows of a table; nil comes last.
func compareKeys(t table, a, b tuple) int {
	if a == nil || b == nil {
		return cmp.Compare(absentRow(a), absentRow(b))
	}
	for i := range t.key {
		if c := compareValues(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func absentRow(r tuple) int {
	if r == nil {
		return 1
	}
	return 0
}

// compareValues orders two values of one column of a key.
func compareValues(a, b any) int {
	if x, ok := a.(int64); ok {
		y, _ := b.(int64)
		return cmp.Compare(x, y)
	}
	x, _ := a.(string)
	y, _ := b.(string)
	return cmp.Compare(x, y)
}

func (r tuple) equal(other tuple) bool {
	for i, v := range r {
		x, bytesHere := v.([]byte)
		y, bytesThere := other[i].([]byte)
		if bytesHere != bytesThere || bytesHere && !bytes.Equal(x, y) || !bytesHere && v != other[i] {
			return false
		}
	}
	return true
}

// hash adds a row so that no two rows add the same: each value with its kind and
// length.
func (r tuple) hash(to hash.Hash) {
	for _, v := range r {
		var text []byte
		kind := byte('0')
		switch v := v.(type) {
		case int64:
			kind, text = 'i', binary.BigEndian.AppendUint64(nil, uint64(v)) //nolint:gosec // only its bits count
		case string:
			kind, text = 's', []byte(v)
		case []byte:
			kind, text = 'b', v
		}
		_, _ = to.Write(binary.BigEndian.AppendUint64([]byte{kind}, uint64(len(text)))) // a hash takes everything
		_, _ = to.Write(text)
	}
}

// batch collects rows and writes many of them in one statement, which holds by
// itself.
type batch struct {
	table table
	write func(context.Context, table, []tuple) error
	rows  []tuple
}

// What one statement takes: SQLite has 32,766 values and conditions that are
// 1,000 deep.
const (
	batchValues = 10_000
	batchRows   = 500
)

func (b *batch) add(ctx context.Context, r tuple) error {
	b.rows = append(b.rows, r)
	if len(b.rows) < batchRows && len(b.rows)*len(b.table.columns) < batchValues {
		return nil
	}
	return b.flush(ctx)
}

func (b *batch) flush(ctx context.Context) error {
	if len(b.rows) == 0 {
		return nil
	}
	err := b.write(ctx, b.table, b.rows)
	b.rows = b.rows[:0]
	return err
}
