package testserver

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const (
	pgUser     = "gatehouse" // owns the databases and is no superuser
	pgDatabase = "gatehouse"
	pgSuper    = "postgres"
	pgPatience = 10 * time.Second
)

// PostgresServer is a PostgreSQL of its own, on a Unix socket and on a port of
// 127.0.0.1. It syncs what it commits.
type PostgresServer struct {
	process
	dir  string // holds the socket and the data
	data string
	port string
	who  *syscall.Credential
	// CA is the file that verifies the server, "" for one without TLS.
	CA string
}

// Postgres starts a server that ends with the test. Settings are parameters of
// its configuration such as "max_connections=5".
func Postgres(t testing.TB, settings ...string) *PostgresServer {
	t.Helper()
	return PostgresIn(t, "", settings...)
}

// PostgresIn is [Postgres] with its data in a new folder below dir, for a disk
// that is of its own; "" is the folder for temporary files.
func PostgresIn(t testing.TB, dir string, settings ...string) *PostgresServer {
	t.Helper()
	s := newPostgres(t, settings)
	if dir != "" {
		s.data = filepath.Join(dir, filepath.Base(s.dir))
	}
	if err := layOut(t.Context(), postgresProgram(t), s.data, s.who); err != nil {
		t.Fatal(err)
	}
	s.Start()
	s.make(pgDatabase)
	return s
}

// PostgresTLS is [Postgres] with a certificate for 127.0.0.1, for those who ask
// for TLS.
func PostgresTLS(t testing.TB, settings ...string) *PostgresServer {
	t.Helper()
	who := unprivileged(t)
	dir := folder(t, who)
	certificate, key, _ := selfSigned(t, dir)
	for _, file := range []string{certificate, key} {
		if err := own(file, who, nil); err != nil {
			t.Fatal(err)
		}
	}
	s := PostgresIn(t, "", append([]string{"ssl=on", "ssl_cert_file=" + certificate, "ssl_key_file=" + key}, settings...)...)
	s.CA = certificate
	return s
}

func postgresProgram(t testing.TB) string { t.Helper(); return postgresTool(t, "postgres") }

// postgresTool returns the path of a program of PostgreSQL.
func postgresTool(t testing.TB, name string) string {
	t.Helper()
	return find(t, name, "/usr/lib/postgresql/*/bin/"+name, "/usr/pgsql-*/bin/"+name, "/opt/homebrew/opt/postgresql@*/bin/"+name)
}

// newPostgres is a server that has no data yet and does not run.
func newPostgres(t testing.TB, settings []string) *PostgresServer {
	t.Helper()
	program, who := postgresProgram(t), unprivileged(t)
	s := &PostgresServer{dir: folder(t, who), port: freePort(t), who: who}
	s.data = filepath.Join(s.dir, "data")
	args := []string{
		"-k", s.dir, "-c", "listen_addresses=127.0.0.1", "-p", s.port,
		"-c", "unix_socket_permissions=0777", "-c", "fsync=on", "-c", "logging_collector=off",
	}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	s.process = process{
		t: t, name: "postgres", asked: syscall.SIGINT,
		command: func() *exec.Cmd {
			// Not the test's context: that ends before the cleanup.
			cmd := exec.CommandContext(context.Background(), program, append([]string{"-D", s.data}, args...)...)
			cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: who}
			return cmd
		},
		ready: func() error { return s.exec("postgres", "SELECT 1") },
	}
	t.Cleanup(s.close)
	return s
}

// DSN is how the database of the server is reached over its Unix socket.
func (s *PostgresServer) DSN() string { return s.socket(pgUser, pgDatabase) }

// Address is the host and port where the server listens, e.g. for a proxy.
func (s *PostgresServer) Address() string { return net.JoinHostPort("127.0.0.1", s.port) }

// DSNAt is [PostgresServer.DSN] at another address, e.g. that of a proxy.
func (s *PostgresServer) DSNAt(address string) string {
	u := url.URL{Scheme: "postgres", User: url.User(pgUser), Host: address, Path: "/" + pgDatabase, RawQuery: "sslmode=disable"}
	return u.String()
}

// TLSDSNAt is [PostgresServer.DSNAt] over TLS, with the server verified.
func (s *PostgresServer) TLSDSNAt(address string) string {
	query := url.Values{"sslmode": {"verify-full"}, "sslrootcert": {s.CA}}
	u := url.URL{Scheme: "postgres", User: url.User(pgUser), Host: address, Path: "/" + pgDatabase, RawQuery: query.Encode()}
	return u.String()
}

// Database makes an empty database and returns how it is reached over the Unix
// socket. The server must be running and not have one of that name.
func (s *PostgresServer) Database(name string) string {
	s.t.Helper()
	s.make(name)
	return s.socket(pgUser, name)
}

// Exec runs statements as the superuser in the database that a DSN names.
func (s *PostgresServer) Exec(dsn, statements string) {
	s.t.Helper()
	c, err := pgconn.ParseConfig(dsn)
	if err == nil {
		err = s.exec(c.Database, statements)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *PostgresServer) socket(user, database string) string {
	q := url.Values{"host": {s.dir}, "port": {s.port}}
	u := url.URL{Scheme: "postgres", User: url.User(user), Path: "/" + database, RawQuery: q.Encode()}
	return u.String()
}

func (s *PostgresServer) make(database string) {
	s.t.Helper()
	if err := s.exec("postgres", fmt.Sprintf("CREATE DATABASE %q OWNER %s", database, pgUser)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *PostgresServer) exec(database, statements string) error {
	ctx, cancel := context.WithTimeout(context.Background(), pgPatience)
	defer cancel()
	conn, err := pgconn.Connect(ctx, s.socket(pgSuper, database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	return conn.Exec(ctx, statements).Close()
}

// template is the folder of a new server, made once in a test binary: a copy
// is made in a fraction of the time.
var template struct {
	sync.Mutex
	files []byte
}

// layOut makes the folder of a new server.
func layOut(ctx context.Context, program, data string, who *syscall.Credential) error {
	template.Lock()
	defer template.Unlock()
	if template.files == nil {
		files, err := initDB(ctx, filepath.Join(filepath.Dir(program), "initdb"), who)
		if err != nil {
			return err
		}
		template.files = files
	}
	return unpack(template.files, data, who)
}

// initDB returns the folder of a new server with one user beside its superuser.
func initDB(ctx context.Context, program string, who *syscall.Credential) (files []byte, err error) {
	dir, err := os.MkdirTemp("", "gh")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := own(dir, who, nil); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	cmd := exec.CommandContext(ctx, program, "-D", data, "-U", pgSuper, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	cmd = exec.CommandContext(ctx, filepath.Join(filepath.Dir(program), "postgres"), "--single", "-D", data, "postgres")
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	go func() {
		_, _ = fmt.Fprintf(in, "CREATE ROLE %s LOGIN\n", pgUser)
		_ = in.Close()
	}()
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making the user: %w\n%s", err, out)
	}
	return packed(data)
}

// freePort returns a port of 127.0.0.1 that was free a moment ago.
func freePort(t testing.TB) string {
	t.Helper()
	var c net.ListenConfig
	l, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}
