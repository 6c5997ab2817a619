package sqlstore

import (
	"io/fs"
	"strconv"
	"strings"
)

// flavour is what differs from one SQL variant to the next. Queries are
// written once, with ? for each value, for what all variants share.
type flavour struct {
	// migrations holds the numbered files, e.g. 0001_initial.sql.
	migrations fs.FS
	// begin starts a transaction that holds the right to change the schema,
	// so that of several processes one does the work.
	begin string
	// alone says that a transaction that writes is the only one that does.
	// Elsewhere it locks what it looked at before it relies on it.
	alone bool
	// rebind replaces each ? by what the variant calls a placeholder.
	rebind func(query string) string
	// foreign counts the tables of a schema that is not ours.
	foreign string
	// migrated counts the tables that note the version of the schema.
	migrated string
	// copied counts the tables that note what the store is a copy of.
	copied string
	// sequence is the query for the newest sequence ever given to a change.
	sequence string
	// sweep removes at most a number of sessions whose Keep has passed.
	sweep string
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

// numbered is the rebind of one that counts them: $1, $2 and so on.
func numbered(query string) string {
	var b strings.Builder
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}
