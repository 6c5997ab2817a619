package sqlstore

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	errDSN = errors.New("the address of the PostgreSQL store is not understood: it is postgres://user@host/database, " +
		"a / # ? % or @ of the password percent-encoded, or such keywords as host=… dbname=… password='…'")
	errStrayAt = errors.New("the address of the PostgreSQL store has an @ that ends no password: " +
		"a / # ? % or @ of one is written percent-encoded, e.g. %40")
)

// readDSN reads a DSN. No error repeats a part of it but the name of a file.
func readDSN(dsn string) (*pgxpool.Config, error) {
	if straysAt(dsn) {
		return nil, errStrayAt
	}
	config, err := pgxpool.ParseConfig(dsn)
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, fmt.Errorf("the address of the PostgreSQL store names a file that cannot be read: %w", file)
	}
	if err != nil { // which may quote the password
		return nil, errDSN
	}
	return config, nil
}

// straysAt reports whether a URL has an @ that does not end its user and
// password, or a second one. It stands in a password that was not encoded, the
// rest of which would be read as the name of a host or database: and told.
func straysAt(dsn string) bool {
	_, rest, found := strings.Cut(dsn, "://")
	if !found {
		return false
	}
	before, after, found := strings.Cut(rest, "@")
	return found && (strings.ContainsAny(before, "/?#") || strings.Contains(after, "@"))
}
