package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

//go:embed migrations/postgres/*.sql
var postgresFiles embed.FS

const (
	// defaultConns is how many connections a node has at most beside the one
	// that listens: few enough that several nodes fit into the 100 that a
	// server takes where nobody said otherwise.
	defaultConns = 16
	minConns     = 4
	// connectWait bounds how long a new connection may take.
	connectWait = 500 * time.Millisecond
	// migrateWait bounds how long a node waits for another that migrates.
	migrateWait = time.Minute
	// connLife is how long a connection is kept, so that a node finds its way
	// to a server that was added or has taken over.
	connLife = 30 * time.Minute
)

// postgresParameters are set on each connection where the DSN does not. What a
// node that was stopped in the middle of a transaction has locked is free again
// after idle_in_transaction_session_timeout; who waits for it gives up after
// lock_timeout. A statement that nobody waits for any more ends by itself.
var postgresParameters = map[string]string{
	"application_name":                    "gatehouse",
	"lock_timeout":                        "500ms",
	"idle_in_transaction_session_timeout": "1s",
	"statement_timeout":                   "5s",
}

// postgresFlavour returns what is particular to PostgreSQL.
func postgresFlavour() *flavour {
	files, err := fs.Sub(postgresFiles, "migrations/postgres")
	if err != nil {
		panic(err) // the path is a constant
	}
	return &flavour{
		migrations: files,
		begin: fmt.Sprintf(`BEGIN; SET LOCAL lock_timeout = %d; SET LOCAL statement_timeout = 0;
			SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock(1197433443, 0)`, migrateWait.Milliseconds()),
		rebind: numbered,
		foreign: `SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND NOT EXISTS
			(SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_migrations')`,
		migrated: `SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'schema_migrations'`,
		copied:   `SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema() AND tablename = 'copied_from'`,
		sequence: latestChange,
		sweep: `DELETE FROM sessions WHERE (realm, id) IN
			(SELECT realm, id FROM sessions WHERE keep <= ? ORDER BY keep LIMIT ? FOR UPDATE SKIP LOCKED)`,
		classify: classifyPostgres,
	}
}

// CheckPostgres returns an error where [OpenPostgres] could not read a DSN. It
// opens nothing and, like that, tells no password.
func CheckPostgres(dsn string) error {
	_, err := postgresConfig(dsn, Options{}, 0, new(hosts))
	return err
}

// OpenPostgres opens the store in the database that dsn names, a URL or
// keywords as libpq takes them; what it does not name comes from the PG*
// variables of the environment. The schema is brought up to date; any number of
// nodes may open one database at the same time. An error is one sentence that
// names the server and never the password. ctx bounds the opening only.
func OpenPostgres(ctx context.Context, dsn string, o Options) (store.Store, error) {
	d, err := openPostgres(ctx, dsn, postgresFlavour(), o)
	if err != nil {
		return store.Store{}, err
	}
	return d.store(), nil
}

func openPostgres(ctx context.Context, dsn string, f *flavour, o Options) (*database, error) {
	o = o.withDefaults()
	steps, err := readMigrations(f.migrations)
	if err != nil {
		return nil, err
	}
	order := new(hosts)
	config, err := postgresConfig(dsn, o, len(steps), order)
	if err != nil {
		return nil, err
	}
	place := postgresPlace(config.ConnConfig)
	if err := preparePostgres(ctx, f, config.ConnConfig, steps, o); err != nil {
		return nil, explainPostgres(place, err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, explainPostgres(place, err)
	}
	return newServer(f, pool, order, len(steps), o), nil
}

// postgresConfig reads a DSN. The schema must be of that version on every
// connection, which begins with the server whose turn it is.
func postgresConfig(dsn string, o Options, version int, order *hosts) (*pgxpool.Config, error) {
	config, err := readDSN(dsn)
	if err != nil {
		return nil, err
	}
	given := config.ConnConfig.RuntimeParams
	parameters := maps.Clone(postgresParameters)
	maps.Copy(parameters, given)
	config.ConnConfig.RuntimeParams = parameters
	config.ConnConfig.ConnectTimeout = connectWait + o.spare()
	switch {
	case o.MaxConns > 0:
		config.MaxConns = int32(min(o.MaxConns, 1000))
	case !strings.Contains(dsn, "pool_max_conns"):
		config.MaxConns = defaultConns
	}
	config.MaxConns = max(config.MaxConns, minConns)
	config.MaxConnLifetime, config.MaxConnLifetimeJitter = connLife, connLife/4
	config.PingTimeout = connectWait
	config.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		order.order(c)
		d := new(dialer)
		c.DialFunc, c.AfterNetConnect = d.dial, nil
		c.AfterConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
			d.connected.Store(true)
			return schemaIs(ctx, conn, version)
		}
		return nil
	}
	return config, nil
}

// dialer reaches a server for one connection. Once that is there, it is asked
// only to cancel what the connection runs, and what is done to end a connection
// is given little time: a server that answers no more must not pile them up.
type dialer struct {
	net       net.Dialer
	connected atomic.Bool
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if d.connected.Load() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectWait)
		context.AfterFunc(ctx, func() { cancel(); _ = c.Close() })
	}
	return hastyConn{c}, nil
}

// hastyConn is a connection on which no deadline is far.
type hastyConn struct{ net.Conn }

// SetDeadline implements [net.Conn].
func (c hastyConn) SetDeadline(t time.Time) error {
	if latest := time.Now().Add(connectWait); t.After(latest) {
		t = latest
	}
	return c.Conn.SetDeadline(t)
}

// schemaIs fails unless the schema is the one that this program knows: another
// node may have brought it further.
func schemaIs(ctx context.Context, conn *pgconn.PgConn, version int) error {
	res := conn.ExecParams(ctx, `SELECT MAX(version)::text FROM schema_migrations`, nil, nil, nil, nil).Read()
	if res.Err != nil {
		return res.Err
	}
	if len(res.Rows) != 1 || string(res.Rows[0][0]) != strconv.Itoa(version) {
		return wrongSchema(string(res.Rows[0][0]), version)
	}
	return nil
}

// schemaError is a schema of another version than this program's.
type schemaError struct{ text string }

func (e *schemaError) Error() string { return e.text }

func wrongSchema(is string, known int) error {
	return &schemaError{fmt.Sprintf("its schema is %s and no longer the %d that this gatehouse knows: run the version that wrote it", is, known)}
}

// preparePostgres brings the schema up to date. Where it is, nothing is written
// and no right to do so is needed.
func preparePostgres(ctx context.Context, f *flavour, config *pgx.ConnConfig, steps []migration, o Options) error {
	config = config.Copy()
	config.ConnectTimeout = defaultLockWait // no request waits for it, and the server may be slow yet
	db := stdlib.OpenDB(*config)
	defer func() { _ = db.Close() }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := ownConnection(ctx, db, conn); err != nil {
		return err
	}
	if err := encodingIsUTF8(ctx, conn); err != nil {
		return err
	}
	var there bool
	var have int
	err = conn.QueryRowContext(ctx, `SELECT to_regclass(quote_ident(current_schema()) || '.schema_migrations') IS NOT NULL`).Scan(&there)
	if err != nil {
		return err
	}
	if there {
		err := conn.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM schema_migrations`).Scan(&have)
		if err != nil {
			return err
		}
	}
	if have != len(steps) {
		if err := migrate(ctx, f, conn, o.Now()); err != nil {
			return err
		}
	}
	if o.halfToo {
		return nil
	}
	return whole(ctx, f, conn)
}

// encodingIsUTF8 refuses a database that could not keep every name.
func encodingIsUTF8(ctx context.Context, conn *sql.Conn) error {
	var encoding string
	if err := conn.QueryRowContext(ctx, `SHOW server_encoding`).Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("its encoding is %s: create it with ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	return nil
}

// postgresPlace names a database without a secret.
func postgresPlace(c *pgx.ConnConfig) string {
	return fmt.Sprintf("%s at %s", cmp.Or(c.Database, c.User), net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))))
}
