package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// planted is what must not be seen: a password, right or wrong.
const planted = "pL4nted-s3cret"

// storeCaddyfile is a gateway with its store and sessions elsewhere, which logs all it can.
const storeCaddyfile = `{
	debug
	gatehouse {
		store postgres {env.DATABASE_URL}
		sessions redis {env.REDIS_URL}
	}
}
http://localhost:{$PORT} {
	bind 127.0.0.1
	gatehouse {
		login management
	}
	respond ok
}
`

// servers are a PostgreSQL and a Redis that ask for a password, which is
// planted.
func servers(t *testing.T) (*testserver.PostgresServer, *testserver.RedisServer) {
	t.Helper()
	rules := filepath.Join(openFolder(t), "hba")
	if err := os.WriteFile(rules, []byte("local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(rules, 0o644); err != nil { // for the user of PostgreSQL
		t.Fatal(err)
	}
	p := testserver.Postgres(t, "hba_file="+rules)
	p.Exec(p.DSN(), "ALTER ROLE gatehouse PASSWORD '"+planted+"'; CREATE ROLE reader LOGIN PASSWORD '"+planted+"'")
	return p, testserver.Redis(t, "requirepass "+planted)
}

// storeGateway is one with that Caddyfile.
func storeGateway(t *testing.T, database, redis string) *gateway {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "Caddyfile"), []byte(storeCaddyfile), 0o600); err != nil {
		t.Fatal(err)
	}
	g := newGateway(t, folder)
	g.env = append(g.env, "DATABASE_URL="+database, "REDIS_URL="+redis, "GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=10")
	return g
}

// fails runs a command that must end by itself with an error, and returns what
// it printed.
func (g *gateway) fails(args ...string) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "gatehouse", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = g.folder, g.env, &out, &out
	if err := cmd.Run(); err == nil || ctx.Err() != nil {
		g.t.Errorf("gatehouse %s: %v, %v", strings.Join(args, " "), err, ctx.Err())
	}
	return out.String()
}

// TestStoreThatCannotBeOpened starts gateways whose store is not what their URL
// says: one sentence tells why, and nothing of the password.
func TestStoreThatCannotBeOpened(t *testing.T) {
	p, r := servers(t)
	database := func(user, at, name string) string {
		return fmt.Sprintf("postgres://%s:%s@%s/%s", user, planted, at, name)
	}
	right := database("gatehouse", p.Address(), "gatehouse")
	sessions := "redis://default:" + planted + "@" + r.Address
	closed := "127.0.0.1:" + freePort(t)
	for _, c := range []struct {
		name, database, redis string
		says                  string
		validates             bool // since nothing is asked
	}{
		{"a wrong password", "postgres://gatehouse:" + planted + "x@" + p.Address() + "/gatehouse", sessions, "refuses this user or password", true},
		{"an unknown user", database("nobody", p.Address(), "gatehouse"), sessions, "refuses this user or password", true},
		{"a database that is not there", database("gatehouse", p.Address(), "absent"), sessions, "the PostgreSQL store absent at " + p.Address() + " is not there: create the database first", true},
		{"a user without rights", database("reader", p.Address(), "gatehouse"), sessions, "its user needs USAGE and CREATE on the schema", true},
		{"a port where nobody listens", database("gatehouse", closed, "gatehouse"), sessions, "the PostgreSQL store gatehouse at " + closed + " cannot be reached", true},
		{"TLS that the server has not", right + "?sslmode=require", sessions, "server refused TLS connection", true},
		{"a URL that cannot be read", "postgres://gatehouse:" + planted + "%zz@h/gatehouse", sessions, "store postgres: the address of the PostgreSQL store is not understood", false},
		{"a password with a slash in it", "postgres://gatehouse:" + planted + "/x@" + p.Address() + "/gatehouse", sessions, "store postgres: the address of the PostgreSQL store has an @ that ends no password", false},
		{"the URL of another store", sessions, sessions, "store postgres: the address of the PostgreSQL store is not understood", false},
		{"a certificate that is not there", right + "?sslmode=verify-full&sslrootcert=/nowhere/ca.pem", sessions, "names a file that cannot be read: open /nowhere/ca.pem: no such file", false},
		{"no URL", "", sessions, "store postgres: {env.DATABASE_URL} is empty or not set", false},
		{"a wrong password of Redis", right, "redis://default:" + planted + "x@" + r.Address, "the session store at " + r.Address + " refuses this user or password: WRONGPASS", true},
		{"no password for Redis", right, "redis://" + r.Address, "the session store at " + r.Address + " refuses this user or password: NOAUTH", true},
		{"a port where no Redis listens", right, "redis://default:" + planted + "@" + closed, "the session store at " + closed + " cannot be opened", true},
		{"a URL of Redis that cannot be read", right, "redis://default:" + planted + "%zz@h", "sessions redis: the URL of the session store cannot be read", false},
		{"a database of Redis that is no number", right, sessions + "/" + planted, "sessions redis: the URL of the session store must be redis://", false},
		{"no URL of Redis", right, "", "sessions redis: {env.REDIS_URL} is empty or not set", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := storeGateway(t, c.database, c.redis)
			outputs := []string{g.fails("run"), g.fails("account", "list")}
			if c.validates {
				g.shell("gatehouse validate")
			} else {
				outputs = append(outputs, g.fails("validate"))
			}
			for _, out := range outputs {
				if !strings.Contains(out, c.says) {
					t.Errorf("it does not say %q:\n%s", c.says, out)
				}
				if strings.Contains(out, planted) {
					t.Errorf("it tells the password:\n%s", out)
				}
			}
		})
	}
}

// TestPasswordsOfStoresStayInTheEnvironment looks for them in all that a running
// gateway says and keeps, while its stores are there and after they have gone.
func TestPasswordsOfStoresStayInTheEnvironment(t *testing.T) {
	p, r := servers(t)
	g := storeGateway(t, fmt.Sprintf("postgres://gatehouse:%s@%s/gatehouse", planted, p.Address()), "redis://default:"+planted+"@"+r.Address)
	stop := g.start("run")
	admin := ""
	for _, one := range g.env {
		if at, ok := strings.CutPrefix(one, "CADDY_ADMIN="); ok {
			admin = at
		}
	}
	site := "localhost:" + g.port
	_ = g.admin("", "account", "add", "ann", "--no-password")
	key := map[string]string{"x-api-key": fmt.Sprint(g.admin("", "key", "create", "--account", "ann")["key"])}
	if status, body := call(t, http.MethodGet, site, "/x", site, key); status != http.StatusOK {
		t.Fatal(status, body)
	}
	_, config := call(t, http.MethodGet, admin, "/config/", admin, nil)
	for _, want := range []string{"{env.DATABASE_URL}", "{env.REDIS_URL}"} {
		if !strings.Contains(config, want) || !strings.Contains(g.shell("gatehouse adapt"), want) {
			t.Errorf("%s is not as it was written: %s", want, config)
		}
	}
	r.Kill()
	p.Kill()
	var health string
	if err := within(startTime, func() bool {
		_, health = call(t, http.MethodGet, admin, "/gatehouse/health", admin, nil)
		return strings.Contains(health, `"reachable":false`)
	}); err != nil {
		t.Errorf("%v: %s", err, health)
	}
	status, answered := call(t, http.MethodGet, site, "/x", site, map[string]string{"x-api-key": "api_000000000000000000000000"})
	if status != http.StatusServiceUnavailable {
		t.Errorf("answered %d %s", status, answered)
	}
	command := g.fails("account", "list")
	stop()
	said := map[string]string{
		"/config/": config, "/gatehouse/health": health, "an answer": answered, "a command": command,
		"the log": g.output(),
	}
	if !strings.Contains(said["the log"], "unavailable") {
		t.Error("the log says nothing of the outage")
	}
	for name, text := range said {
		if strings.Contains(text, planted) {
			t.Errorf("%s tells the password:\n%s", name, text)
		}
	}
	g.keeps(t)
}

// keeps looks for the password in every file that the gateway made, of which
// one is the configuration that Caddy saves.
func (g *gateway) keeps(t *testing.T) {
	t.Helper()
	home, saved := "", false
	for _, one := range g.env {
		if at, ok := strings.CutPrefix(one, "HOME="); ok {
			home = at
		}
	}
	err := filepath.WalkDir(home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		saved = saved || d.Name() == "autosave.json" && bytes.Contains(text, []byte("{env.DATABASE_URL}"))
		if bytes.Contains(text, []byte(planted)) {
			t.Errorf("%s holds the password", path)
		}
		return err
	})
	if err != nil || !saved {
		t.Errorf("looking through %s: %v; a saved configuration: %t", home, err, saved)
	}
}
