package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// clusterExamples have a script that runs several gateways with their servers,
// in place of the line `gatehouse run`.
var clusterExamples = []string{"postgres", "postgres-redis"}

// scripted is such a script at work, with ports of its own.
type scripted struct {
	*gateway // its port is the balancer's
	// other are the ports of the gateways.
	other [2]string
	work  string // for temporary folders
}

// newScripted copies the examples, which need nothing else of the repository,
// and starts the script of one.
func newScripted(t *testing.T, example string) (c *scripted, stop func()) {
	t.Helper()
	folder := t.TempDir()
	for _, name := range clusterExamples {
		if err := os.CopyFS(filepath.Join(folder, name), os.DirFS("../../examples/"+name)); err != nil {
			t.Fatal(err)
		}
		// A copy keeps what may be run and loses nothing else that counts.
		if err := os.Chmod(filepath.Join(folder, name, "run.sh"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c = &scripted{gateway: newGateway(t, filepath.Join(folder, example)), work: openFolder(t)}
	c.other = [2]string{freePort(t), freePort(t)}
	c.env = append(c.env, "TMPDIR="+c.work, "GATEWAY1_PORT="+c.other[0], "GATEWAY2_PORT="+c.other[1],
		"GORACE="+os.Getenv("GORACE")+" atexit_sleep_ms=10")
	for _, name := range []string{"ADMIN1_PORT", "ADMIN2_PORT", "POSTGRES_PORT", "REDIS_PORT"} {
		c.env = append(c.env, name+"="+freePort(t))
	}
	return c, c.run()
}

// openFolder makes a folder that the user of PostgreSQL may enter, which those
// of a test are not where root runs it.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// run starts the script and returns when it prints what to try. Everything that
// it starts ends with the test, however the script is.
func (c *scripted) run() (stop func()) {
	c.t.Helper()
	cmd := exec.CommandContext(context.Background(), "./run.sh")
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.folder, c.env, c, c
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = startTime
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	stop = func() {
		c.t.Helper()
		_ = cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(startTime):
			c.t.Errorf("run.sh does not end\n%s", c.output())
		}
	}
	c.t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); <-ended })
	err := within(startTime, func() bool {
		select {
		case <-ended:
			return true
		default:
			return strings.Contains(c.output(), "Stop with Ctrl-C.")
		}
	})
	if err != nil || !strings.Contains(c.output(), "Stop with Ctrl-C.") {
		c.t.Fatalf("run.sh: %v\n%s%s", err, c.output(), c.logs())
	}
	return stop
}

// logs are those of all that the script runs, for when a test fails.
func (c *scripted) logs() string {
	var all bytes.Buffer
	files, _ := filepath.Glob(filepath.Join(c.work, "*", "*.log"))
	for _, name := range files {
		text, _ := os.ReadFile(name)
		_, _ = fmt.Fprintf(&all, "\n--- %s\n%s", filepath.Base(name), text[max(0, len(text)-4000):])
	}
	return all.String()
}

// within polls until something is so.
func within(limit time.Duration, is func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); ; <-tick.C {
		late := time.Now().After(end)
		if is() {
			return nil
		}
		if late {
			return fmt.Errorf("it is not so within %s", limit)
		}
	}
}

// status asks for a path and returns the status, or why there is none.
func (c *scripted) status(method, port, path, field string) string {
	r, err := http.NewRequestWithContext(c.t.Context(), method, "http://localhost:"+port+path, http.NoBody)
	if err != nil {
		c.t.Fatal(err)
	}
	if name, value, ok := strings.Cut(field, ": "); ok {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return fmt.Sprint(answer.StatusCode)
}

// settings takes what run.env says into the environment of commands.
func (c *scripted) settings() {
	c.t.Helper()
	out := c.shell(". ./run.env && printf '%s\n' \"DATABASE_URL=$DATABASE_URL\" \"REDIS_URL=$REDIS_URL\" \"KEY_RING=$KEY_RING\"")
	c.env = append(c.env, strings.Split(strings.TrimSpace(out), "\n")...)
}

// readme returns the README's lines to try, with the ports of this cluster.
func (c *scripted) readme() string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.folder, "README.md"))
	if err != nil {
		c.t.Fatal(err)
	}
	blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) != 2 || strings.TrimSpace(blocks[0][1]) != "./run.sh" {
		c.t.Fatal("such an example's README has two blocks of sh: one starts it, one tries it")
	}
	lines := strings.NewReplacer("localhost:8081", "localhost:"+c.other[0], "localhost:8082", "localhost:"+c.other[1]).Replace(blocks[1][1])
	return script(c.t, lines, c.port)
}

// TestClusterExamples runs the scripts and the READMEs of the examples with
// several gateways, as they stand there.
func TestClusterExamples(t *testing.T) {
	needsCurl(t)
	for _, example := range clusterExamples {
		t.Run(example, func(t *testing.T) {
			needsServers(t, example)
			c, stop := newScripted(t, example)
			c.settings()
			c.imported("", [2]string{"bob", "user"})
			key := "x-api-key: " + fmt.Sprint(c.admin("", "key", "create", "--account", "bob")["key"])
			t.Run("what one gateway issues and withdraws counts at the other", func(t *testing.T) { c.counts(t) })
			t.Run("the lines of the README hold, and nobody notices the gateway that ends", func(t *testing.T) {
				refused := c.whileAsking(key, func() { c.shell(c.readme()) })
				if len(refused) > 0 {
					t.Errorf("through the balancer: %q\n%s", refused, c.logs())
				}
			})
			t.Run("the end leaves nothing behind", func(t *testing.T) {
				stop()
				left, _ := filepath.Glob(filepath.Join(c.work, "*"))
				if _, err := os.Stat(filepath.Join(c.folder, "run.env")); len(left) > 0 || !errors.Is(err, os.ErrNotExist) {
					t.Errorf("left: %q, and run.env: %v\n%s", left, err, c.output())
				}
				for _, port := range append(c.other[:], c.port) {
					if got := c.status(http.MethodGet, port, "/", ""); !strings.Contains(got, "refused") {
						t.Errorf("port %s answers %s", port, got)
					}
				}
			})
		})
	}
}

// needsServers skips where this machine has not what an example stands on.
func needsServers(t *testing.T, example string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	_, err := exec.LookPath("initdb")
	needs(t, err != nil && len(found) == 0, "PostgreSQL")
	_, err = exec.LookPath("redis-server")
	needs(t, err != nil && example == "postgres-redis", "redis-server")
}

// counts has each gateway take what the other says, within a second.
func (c *scripted) counts(t *testing.T) {
	for from, issuer := range c.other {
		taker := c.other[1-from]
		token := "Authorization: Bearer " + c.login(issuer)
		for _, port := range []string{issuer, taker, c.port} {
			if got := c.status(http.MethodGet, port, "/orders", token); got != "200" {
				t.Fatalf("port %s answers %s", port, got)
			}
		}
		if got := c.status(http.MethodPost, issuer, "/v1/auth/logout", token); got != "200" {
			t.Fatalf("the logout is answered %s", got)
		}
		if got := c.status(http.MethodGet, issuer, "/orders", token); got != "401" {
			t.Errorf("after the logout the same gateway answers %s", got)
		}
		if err := within(time.Second, func() bool { return c.status(http.MethodGet, taker, "/orders", token) == "401" }); err != nil {
			t.Errorf("the other gateway takes the token still: %v\n%s", err, c.logs())
		}
	}
}

// login logs in at one gateway and returns the token.
func (c *scripted) login(port string) string {
	c.t.Helper()
	body := strings.NewReader(`{"username":"bob","password":"` + clientPassword + `"}`)
	answer, err := http.Post("http://localhost:"+port+"/v1/auth/login", "application/json", body)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if token := between(string(text), `"token":"`, `"`); err == nil && token != "" {
		return token
	}
	c.t.Fatalf("the login is answered %d %s, %v", answer.StatusCode, text, err)
	return ""
}

// whileAsking does something, asks through the balancer meanwhile, and returns
// the answers that were not 200.
func (c *scripted) whileAsking(key string, do func()) []string {
	var done atomic.Bool
	asked, others := 0, make(chan []string, 1)
	go func() {
		var other []string
		pace := time.NewTicker(10 * time.Millisecond) // commands want some of the machine too
		defer pace.Stop()
		for ; !done.Load(); asked++ {
			<-pace.C
			if got := c.status(http.MethodGet, c.port, "/orders", key); got != "200" && !slices.Contains(other, got) {
				other = append(other, got)
			}
		}
		others <- other
	}()
	func() {
		defer done.Store(true) // do may end the test
		do()
	}()
	other := <-others
	if asked < 10 {
		c.t.Errorf("only %d requests were made", asked)
	}
	return other
}
