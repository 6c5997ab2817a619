package caddymodule

import (
	"fmt"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

func storeCommand() command {
	return group("store", "Checks, migrates, backs up and moves the store", `
Looks after the store as a whole: that of the configuration, with all realms.
Gateways may go on using it.`,
		storeCheck(), storeMigrate(), storeBackup(), storeCopy())
}

// migratedJSON is what a migration did, in JSON.
type migratedJSON struct {
	Place string `json:"place"`
	From  int    `json:"from"`
	To    int    `json:"to"`
}

func storeMigrate() verb {
	return verb{
		use: "migrate", short: "Brings the schema up to date",
		long: `
Brings the schema of the store up to date, in one transaction under a lock, as a
gateway does when it starts. Gateways of the version before must be stopped first:
an older one refuses a newer schema. A store that is not there is made.`,
		apart: func(o *operation, at *place) error {
			where, err := configured(at.config, at.adapter)
			if err != nil {
				return err
			}
			before, _, err := sqlstore.SchemaOf(o, where.place())
			if err != nil {
				return err
			}
			rows, err := where.openRows(o, sqlstore.Options{Now: time.Now, Wait: commandWait})
			if err != nil {
				return err
			}
			if err := rows.Close(); err != nil {
				return err
			}
			after, name, err := sqlstore.SchemaOf(o, where.place())
			if err != nil {
				return err
			}
			done := migratedJSON{name, before, after}
			if done.From == done.To {
				return o.tell(done, "the schema of %s is %d already", visible(done.Place), done.To)
			}
			return o.tell(done, "the schema of %s went from %d to %d", visible(done.Place), done.From, done.To)
		},
	}
}

// backupJSON is a backup that was made, in JSON.
type backupJSON struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
}

func storeBackup() verb {
	return verb{
		use: "backup <file>", args: 1, short: "Writes a copy of a SQLite store to a new file",
		long: `
Writes the store, as it is at one instant, to a new file for its owner only.
Gateways go on meanwhile. The copy is checked, and synced. Nothing is overwritten.
PostgreSQL and Redis have programs of their own for this, which are named.`,
		apart: func(o *operation, at *place) error {
			where, err := configured(at.config, at.adapter)
			if err != nil {
				return err
			}
			if where.engine != engineSQLite {
				return fmt.Errorf("a PostgreSQL store is backed up by PostgreSQL: pg_dump --format=custom --file=%s with the database of the url, its password in PGPASSWORD or ~/.pgpass",
					visible(o.args[0]))
			}
			tally := o.tally("backing up")
			size, err := sqlstore.BackupSQLite(o, where.path, o.args[0], func(done, about int64) { tally.at("", done, about) })
			tally.end()
			if err != nil {
				return err
			}
			if !where.sessions.URL.Empty() {
				o.note("sessions are in Redis and not in this backup")
			}
			return o.tell(backupJSON{o.args[0], size}, "wrote %d bytes to %s; the key ring is not in it", size, visible(o.args[0]))
		},
	}
}
