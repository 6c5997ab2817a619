package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// The SQLSTATE codes that are told apart.
const (
	pgUnique        = "23505"
	pgForeignKey    = "23503"
	pgTooLarge      = "54000"
	pgReadOnly      = "25006"
	pgSerialization = "40001"
	pgDeadlock      = "40P01"
	pgLockTimeout   = "55P03"
	pgTooMany       = "53300"
	pgPassword      = "28P01"
	pgNoAccess      = "28000"
	pgNoDatabase    = "3D000"
	pgNoRight       = "42501"
	pgNoSchema      = "3F000"
)

// classifyPostgres says what an error of the driver means.
func classifyPostgres(err error) fault {
	switch code := sqlState(err); code {
	case "":
		return faultStore
	case pgUnique:
		return faultConflict
	case pgForeignKey:
		return faultAbsent
	case pgTooLarge:
		return faultSize
	default:
		switch code[:2] {
		case "22", "23", "42", "0A":
			return faultOurs
		}
		return faultStore
	}
}

// sqlState returns the code of an error of the server, "" for another error.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && len(e.Code) == 5 {
		return e.Code
	}
	return ""
}

// repeatable reports whether the server undid a transaction because of others
// that ran beside it.
func repeatable(err error) bool {
	switch sqlState(err) {
	case pgSerialization, pgDeadlock, pgLockTimeout:
		return true
	}
	return false
}

// broken reports whether an error is about the connection: the server ended it,
// or it did not answer in time.
func broken(err error) bool {
	if code := sqlState(err); code != "" {
		return code[:2] == "57" && code != "57014" || code[:2] == "08" || code == "25P03" // shut down, or idle for too long
	}
	_, timeout := errors.AsType[net.Error](err)
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return timeout || connecting || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded) || pgconn.Timeout(err) || pgconn.SafeToRetry(err)
}

// cut reports whether a broken connection was ended by the other side.
func cut(err error) bool {
	e, timeout := errors.AsType[net.Error](err)
	late := timeout && e.Timeout() || errors.Is(err, context.DeadlineExceeded)
	return broken(err) && !late
}

// plainPostgres returns an error of the server without what it may quote of a
// row or a statement.
func plainPostgres(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch code := sqlState(err); {
	case code != "" && (code[:2] == "22" || code[:2] == "23" || code[:2] == "42"):
		return &plainError{fmt.Sprintf("PostgreSQL refuses the statement (%s)", strings.TrimSpace("SQLSTATE "+e.Code+" "+e.ConstraintName)), err}
	default:
		return &plainError{fmt.Sprintf("PostgreSQL says %s (SQLSTATE %s)", e.Message, e.Code), err}
	}
}

// plainError hides the text of an error and keeps the error.
type plainError struct {
	text  string
	cause error
}

func (e *plainError) Error() string { return e.text }

func (e *plainError) Unwrap() error { return e.cause }

// explainPostgres says in one sentence why a database cannot be a store.
func explainPostgres(place string, err error) error {
	switch sqlState(err) {
	case pgPassword, pgNoAccess:
		return fmt.Errorf("the PostgreSQL store %s refuses this user or password: %w", place, plainPostgres(err))
	case pgNoDatabase:
		return fmt.Errorf("the PostgreSQL store %s is not there: create the database first: %w", place, plainPostgres(err))
	case pgNoRight, pgNoSchema:
		return fmt.Errorf("the PostgreSQL store %s cannot be set up: its user needs USAGE and CREATE on the schema, or somebody who has them runs the migration: %w", place, plainPostgres(err))
	case pgReadOnly:
		return fmt.Errorf("the PostgreSQL store %s is read only: name the server that takes writes: %w", place, plainPostgres(err))
	case pgTooMany:
		return fmt.Errorf("the PostgreSQL store %s takes no more connections: raise max_connections or open fewer: %w", place, plainPostgres(err))
	case pgLockTimeout:
		return fmt.Errorf("the PostgreSQL store %s is being migrated by another node: %w", place, plainPostgres(err))
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fmt.Errorf("the PostgreSQL store %s cannot be reached: %w", place, unprefixed(err))
	}
	return fmt.Errorf("the PostgreSQL store %s cannot be opened: %w", place, err)
}

// unprefixed returns what a connect error wraps, in one line: it names the place
// by itself, and has a line for each address, tried with and without TLS.
func unprefixed(err error) error {
	e, ok := errors.AsType[*pgconn.ConnectError](err)
	if !ok || e.Unwrap() == nil {
		return err
	}
	var lines []string
	for line := range strings.Lines(e.Unwrap().Error()) {
		line = strings.TrimSpace(line)
		if !slices.ContainsFunc(lines, func(told string) bool { return strings.HasSuffix(told, line) }) {
			lines = append(lines, line)
		}
	}
	if told := slices.DeleteFunc(slices.Clone(lines), refusedTLS); len(told) > 0 {
		lines = told
	}
	return &plainError{strings.Join(lines, "; "), e.Unwrap()}
}

// refusedTLS fits what is the fault only where nothing else is: without
// sslmode=require a server need not have it.
func refusedTLS(line string) bool {
	return strings.HasSuffix(line, "tls error: server refused TLS connection")
}
