package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/gatehouse-auth/gatehouse/caddymodule"
)

// roles are what this program does as a child of itself, and what else it
// measures.
var roles = map[string]func([]string) error{"serve": serve, "upstream": serveUpstream, "stores": measureStores}

// proxy is a child process that listens on address.
type proxy struct {
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// evenHeaps has all children collect garbage at the same size of their heaps.
// By default a process with more live memory collects less often: the guard's
// caches would make it look cheaper than no guard at all.
var evenHeaps = []string{"GOGC=off", "GOMEMLIMIT=128MiB"}

// collectAsUsual leaves the collector's settings as they are.
var collectAsUsual bool

// startProxy starts a child in a role and waits until it listens.
func startProxy(ctx context.Context, folder, role, config string) (*proxy, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	p := &proxy{address: net.JoinHostPort("127.0.0.1", port), cmd: exec.CommandContext(ctx, self, role, port)}
	p.cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder, "PORT="+port, "CADDYFILE="+config)
	if !collectAsUsual {
		p.cmd.Env = append(p.cmd.Env, evenHeaps...)
	}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := p.cpu(); err != nil {
		p.stop()
		return nil, fmt.Errorf("%s did not start: %w", role, err)
	}
	return p, nil
}

func freePort(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// cpu asks the child what CPU time it has used, user and system.
func (p *proxy) cpu() (time.Duration, error) {
	if _, err := io.WriteString(p.in, "cpu\n"); err != nil {
		return 0, err
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
	return time.Duration(n), err
}

// resident returns the memory of the child that is in RAM, in bytes.
func (p *proxy) resident() (int64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(p.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0, fmt.Errorf("the memory of a process is known on Linux only: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	var kilobytes int64
	_, err = fmt.Sscanf(rest, "%d kB", &kilobytes)
	return kilobytes * 1024, err
}

// stop ends the child by closing its input, and waits.
func (p *proxy) stop() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// answerCPU answers every line of the parent with the CPU time used so far in
// nanoseconds, until the parent closes the pipe.
func answerCPU() error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			return err
		}
		fmt.Println(u.Utime.Nano() + u.Stime.Nano())
	}
	return lines.Err()
}

// serve is Caddy with the configuration of the environment.
func serve([]string) error {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(os.Getenv("CADDYFILE")), nil)
	if err != nil {
		return err
	}
	if err := caddy.Load(adapted, true); err != nil {
		return err
	}
	return errors.Join(answerCPU(), caddy.Stop())
}

// serveUpstream answers every request with a few bytes.
func serveUpstream(args []string) error {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", args[0]))
	if err != nil {
		return err
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"ok":true}`)
		}),
	}
	go func() { _ = server.Serve(l) }()
	return errors.Join(answerCPU(), server.Close())
}
