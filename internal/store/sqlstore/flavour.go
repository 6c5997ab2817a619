package sqlstore

import (
	"io/fs"
	"time"
)

// flavour is what differs from one SQL variant to the next. Queries are
// written once, with ? for each value, for what all variants share.
type flavour struct {
	// migrations holds the numbered files, e.g. 0001_initial.sql.
	migrations fs.FS
	// begin starts a transaction that holds the right to write, so that it
	// cannot lose against another halfway.
	begin string
	// patience is the statement that bounds how long the connection waits for
	// a lock.
	patience func(time.Duration) string
	// rebind replaces each ? by what the variant calls a placeholder.
	rebind func(query string) string
	// foreign counts the tables of a schema that is not ours.
	foreign string
	// sequence is the query for the newest sequence ever given to a change.
	sequence string
	// version is the query for a number that is another once a different
	// connection has committed, asked on one connection all the time.
	version string
	// local says that a look-up waits for nothing but the disk, so that to
	// watch its context would cost more than it gives.
	local bool
	// classify says what an error of the driver means.
	classify func(error) fault
}

// fault is what an error of the driver means.
type fault uint8

const (
	// faultStore is a store out of reach: locked, full, broken or closed. The
	// transaction is lost with it.
	faultStore fault = iota
	// faultConflict is a value that must be unique and is not.
	faultConflict
	// faultAbsent is a row that refers to one that is not there.
	faultAbsent
	// faultSize is a row larger than the store takes.
	faultSize
	// faultOurs is a query that should not have been asked.
	faultOurs
)

// asIs is the rebind of a variant whose placeholder is ? already.
func asIs(query string) string { return query }
