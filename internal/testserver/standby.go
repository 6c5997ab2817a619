package testserver

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// PostgresStandby starts a server that follows another, as pg_basebackup sets it
// up, and takes its writes over when it is told to.
func PostgresStandby(t testing.TB, primary *PostgresServer, settings ...string) *PostgresServer {
	t.Helper()
	s := newPostgres(t, settings)
	program := postgresTool(t, "pg_basebackup")
	cmd := exec.CommandContext(t.Context(), program, "-D", s.data, "-R", "--checkpoint=fast", "--no-sync",
		"-d", "host="+primary.dir+" port="+primary.port+" user="+pgSuper+" application_name="+StandbyName)
	cmd.Dir, cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: s.who}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	s.Start()
	return s
}

// StandbyName is what a standby is to a primary's synchronous_standby_names.
const StandbyName = "standby"

// Promote has a standby take writes, and returns when it does.
func (s *PostgresServer) Promote() {
	s.t.Helper()
	if err := s.exec(pgDatabase, "SELECT pg_promote()"); err != nil {
		s.t.Fatal(err)
	}
}

// HostsDSN is how the database is reached on whichever of several servers takes
// writes, each at an address.
func (s *PostgresServer) HostsDSN(addresses ...string) string {
	return "postgres://" + pgUser + "@" + strings.Join(addresses, ",") + "/" + pgDatabase + "?sslmode=disable&target_session_attrs=read-write"
}
