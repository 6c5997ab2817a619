package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// startTime bounds how long a gateway may take to answer, on a slow machine
// with the race detector.
const startTime = time.Minute

// gateway is a `gatehouse` of its own, with its own ports and data.
type gateway struct {
	t              *testing.T
	folder         string
	port, upstream string
	env            []string
	mu             sync.Mutex
	printed        bytes.Buffer
}

func newGateway(t *testing.T, folder string) *gateway {
	t.Helper()
	data := t.TempDir()
	g := &gateway{t: t, folder: folder, port: freePort(t), upstream: freePort(t)}
	g.env = append(os.Environ(),
		"HOME="+data, "XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data,
		"PORT="+g.port, "UPSTREAM_PORT="+g.upstream, "CADDY_ADMIN=127.0.0.1:"+freePort(t))
	return g
}

// needs skips a test that cannot run on this machine, loudly, and fails it in
// CI, where everything has to run.
func needs(t *testing.T, missing bool, what string) {
	t.Helper()
	if missing && os.Getenv("CI") == "true" {
		t.Fatal("missing: " + what)
	}
	if missing {
		t.Skip("NOT TESTED, for want of " + what)
	}
}

// needsCurl is for those who run the lines of a README or of quickstart.
func needsCurl(t *testing.T) {
	t.Helper()
	_, err := exec.LookPath("curl")
	needs(t, err != nil, "curl")
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Write keeps what the gateway prints, for when a test fails.
func (g *gateway) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.printed.Write(p)
}

func (g *gateway) output() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.printed.String()
}

// start runs `gatehouse args` until the test or stop ends it, and waits until
// its site answers.
func (g *gateway) start(args ...string) (stop func()) {
	g.t.Helper()
	return g.startUntil(os.Interrupt, append([]string{"gatehouse"}, args...)...)
}

// startUntil is start for a command that runs a gateway, and a signal that ends
// it. stop returns once the gateway is gone.
func (g *gateway) startUntil(how os.Signal, command ...string) (stop func()) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = g.folder, g.env, g, g
	cmd.Cancel = func() error { return cmd.Process.Signal(how) }
	cmd.WaitDelay = startTime
	if err := cmd.Start(); err != nil {
		g.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		close(ended) // both await and stop ask
	}()
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); _, _ = fmt.Fprintln(g, "ended:", <-ended) }) }
	g.t.Cleanup(stop)
	g.await(ended)
	return stop
}

// await polls until the site answers, and not that it is starting.
func (g *gateway) await(ended <-chan error) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost:"+g.port+"/", nil)
		if err != nil {
			g.t.Fatal(err)
		}
		if answer, err := http.DefaultClient.Do(r); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusServiceUnavailable {
				return
			}
		}
		select {
		case err := <-ended:
			g.t.Fatalf("gatehouse ended: %v\n%s", err, g.output())
		case <-ctx.Done():
			g.t.Fatalf("gatehouse does not answer on port %s\n%s", g.port, g.output())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// shell runs a script with the gateway's environment and returns what it
// printed.
func (g *gateway) shell(script string) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", script)
	cmd.Dir, cmd.Env = g.folder, g.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		g.t.Fatalf("%v\n%s\n--- the script\n%s\n--- the gateway\n%s", err, out, script, g.output())
	}
	return string(out)
}

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	// expected is a line that begins with curl and says what is answered.
	expected = regexp.MustCompile(`^curl -i (.*?)\s+# → (\d{3})$`)
)

// script turns the lines of a README into a script that fails where an answer
// has another status than the line says.
func script(t *testing.T, block, port string) string {
	t.Helper()
	var b strings.Builder
	lines, checks := bufio.NewScanner(strings.NewReader(block)), 0
	for lines.Scan() {
		line := strings.ReplaceAll(lines.Text(), "localhost:8080", "localhost:"+port)
		m := expected.FindStringSubmatch(line)
		if m == nil {
			fmt.Fprintln(&b, line)
			continue
		}
		checks++
		fmt.Fprintf(&b, "got=$(curl -s -o /dev/null -w '%%{http_code}' %s)\n"+
			"test \"$got\" = %s || { echo 'line %d: answered '$got', not %s' >&2; exit 1; }\n", m[1], m[2], checks, m[2])
	}
	if checks < 3 {
		t.Fatalf("only %d lines say what is answered", checks)
	}
	return b.String()
}

// TestExamples runs the lines of every example's README as they stand there;
// those of clusterExamples have a test of their own.
func TestExamples(t *testing.T) {
	needsCurl(t)
	folders, err := filepath.Glob("../../examples/*/README.md")
	if err != nil || len(folders) < 6 {
		t.Fatalf("found %d examples: %v", len(folders), err)
	}
	for _, readme := range folders {
		folder := filepath.Dir(readme)
		if slices.Contains(clusterExamples, filepath.Base(folder)) {
			continue
		}
		t.Run(filepath.Base(folder), func(t *testing.T) {
			text, err := os.ReadFile(readme)
			if err != nil {
				t.Fatal(err)
			}
			blocks := shellBlock.FindAllStringSubmatch(string(text), -1)
			if len(blocks) != 2 || strings.TrimSpace(blocks[0][1]) != "gatehouse run" {
				t.Fatal("an example's README has two blocks of sh: one starts the gateway, one tries it")
			}
			g := newGateway(t, folder)
			g.start("run")
			g.shell(script(t, blocks[1][1], g.port))
		})
	}
}

// TestQuickstart runs the lines that quickstart prints, as printed.
func TestQuickstart(t *testing.T) {
	needsCurl(t)
	folder := t.TempDir()
	g := newGateway(t, folder)
	g.copyCaddyfile()
	stop := g.start("quickstart")
	lines := g.lines(1)
	if strings.Contains(lines, "$KEY") || strings.Contains(lines, "$PASSWORD") {
		t.Fatalf("the first start printed no secrets:\n%s", lines)
	}
	g.tryLines(lines)
	secrets := regexp.MustCompile(`api_[a-z0-9]{24}`).FindString(lines)
	stop()
	g.start("quickstart")
	again := g.lines(2)
	if strings.Contains(again, secrets) {
		t.Error("the second start printed the key again")
	}
	g.tryLines("PASSWORD=" + between(lines, `password\":\"`, `\"`) + "\nKEY=" + secrets + "\n" + again)
}

// copyCaddyfile takes the repository's Caddyfile with ports of our own.
func (g *gateway) copyCaddyfile() {
	g.t.Helper()
	text, err := os.ReadFile("../../Caddyfile")
	if err != nil {
		g.t.Fatal(err)
	}
	changed := strings.NewReplacer("localhost:8080", "localhost:"+g.port, "localhost:8081", "localhost:"+g.upstream).Replace(string(text))
	if err := os.WriteFile(filepath.Join(g.folder, "Caddyfile"), []byte(changed), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// lines waits for what the nth start prints and returns the lines to try.
func (g *gateway) lines(n int) string {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		parts := strings.Split(g.output(), "To try, in another terminal:")
		if len(parts) > n {
			if lines, _, whole := strings.Cut(parts[n], "Stop with Ctrl-C."); whole {
				return lines
			}
		}
		select {
		case <-ctx.Done():
			g.t.Fatal(errors.New("quickstart printed no lines to try:\n" + g.output()))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// tryLines runs the lines and looks at the answers in order.
func (g *gateway) tryLines(lines string) {
	g.t.Helper()
	out := g.shell(lines)
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^HTTP/1\.1 (\d{3})`).FindAllStringSubmatch(out, -1) {
		got = append(got, m[1])
	}
	// token, key, nothing, role, logout, token again; then JSON and XML.
	const want = "200 200 401 403 200 401 200 200"
	if strings.Join(got, " ") != want {
		g.t.Errorf("answers %v, want %s\n%s", got, want, out)
	}
	if n := strings.Count(out, `"username":"demo"`); n != 4 {
		g.t.Errorf("the upstream was told of demo %d times, want 4\n%s", n, out)
	}
}

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}
