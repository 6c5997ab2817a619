package testserver

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ask runs a query over a connection within a short time.
func ask(conn *pgconn.PgConn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	return conn.Exec(ctx, "SELECT 1").Close()
}

func connect(t *testing.T, dsn string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func TestPostgres(t *testing.T) {
	s := Postgres(t, "max_connections=20")
	other := s.Database("other")
	t.Run("is reached over its socket and its port, in each database", func(t *testing.T) {
		for _, dsn := range []string{s.DSN(), s.DSNAt(s.Address()), other} {
			if err := ask(connect(t, dsn)); err != nil {
				t.Errorf("%s: %v", dsn, err)
			}
		}
	})
	t.Run("a pause reaches the connections that are open, and ends", func(t *testing.T) {
		conn, idle := connect(t, s.DSN()), connect(t, s.DSN())
		s.Pause()
		if err := ask(conn); err == nil {
			t.Error("a paused server answers")
		}
		s.Resume()
		if err := ask(idle); err != nil {
			t.Errorf("after the pause: %v", err)
		}
	})
	t.Run("a kill leaves none of its processes, and the data", func(t *testing.T) {
		conn := connect(t, s.DSN())
		if err := conn.Exec(t.Context(), "CREATE TABLE kept (n INT)").Close(); err != nil {
			t.Fatal(err)
		}
		family := descent(s.cmd.Process.Pid)
		if len(family) < 4 {
			t.Fatalf("the server and what it forked are %d processes", len(family))
		}
		s.Kill()
		if slices.ContainsFunc(family, alive) {
			t.Error("a process lives on")
		}
		s.Start()
		if err := connect(t, s.DSN()).Exec(t.Context(), "SELECT * FROM kept").Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("a kill ends a paused server", func(t *testing.T) {
		s.Pause()
		s.Kill()
		s.Start()
	})
	t.Run("a stop ends it in good order while somebody is connected", func(t *testing.T) {
		connect(t, s.DSN())
		s.Stop()
		if s.Running() {
			t.Error("it counts as running")
		}
		s.Start()
	})
}

func TestOnlyWhatRunsIsAlive(t *testing.T) {
	if !alive(syscall.Getpid()) {
		t.Error("this process is said not to run")
	}
	if alive(1 << 30) {
		t.Error("a process that cannot be is said to run")
	}
}
