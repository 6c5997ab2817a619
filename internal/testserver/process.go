package testserver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The longest that a server may take to answer after its start, and to end
// when it is asked to.
const (
	startPatience = 30 * time.Second
	stopPatience  = 20 * time.Second
	probeInterval = 10 * time.Millisecond
)

// process is a server's program, which can be started again after its end.
type process struct {
	t testing.TB
	// name is what a failed test calls it; command makes what is run.
	name    string
	command func() *exec.Cmd
	// ready returns nil once the server answers.
	ready func() error
	// asked is the signal that has the server end in an orderly way.
	asked syscall.Signal

	cmd    *exec.Cmd
	output *log
	done   chan struct{}
}

// log keeps what a server printed, from any goroutine.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Start runs the server and returns when it answers. It must not be running.
func (p *process) Start() {
	p.t.Helper()
	if p.cmd != nil {
		p.t.Fatalf("%s is running already", p.name)
	}
	p.output, p.done = new(log), make(chan struct{})
	cmd := p.command()
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	// The server ends with the test even where the test is killed, and not by
	// an interrupt that is meant for the test.
	cmd.SysProcAttr.Pdeathsig, cmd.SysProcAttr.Setpgid = syscall.SIGKILL, true
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("starting %s: %v", p.name, err)
	}
	p.cmd = cmd
	go func() {
		defer close(p.done)
		_ = cmd.Wait()
	}()
	p.wait()
}

// wait returns when the server answers.
func (p *process) wait() {
	p.t.Helper()
	deadline := time.After(startPatience)
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for {
		err := p.ready()
		if err == nil {
			return
		}
		select {
		case <-p.done:
			p.cmd = nil
			p.t.Fatalf("%s ended at its start:\n%s", p.name, p.output)
		case <-deadline:
			p.t.Fatalf("%s does not answer: %v\n%s", p.name, err, p.output)
		case <-tick.C:
		}
	}
}

// Stop ends the server in an orderly way and returns when it is gone.
func (p *process) Stop() { p.t.Helper(); p.end(p.asked) }

// Kill ends the server with everything it forked as kill -9 does.
func (p *process) Kill() { p.t.Helper(); p.end(syscall.SIGKILL) }

func (p *process) end(how syscall.Signal) {
	p.t.Helper()
	if p.cmd == nil {
		p.t.Fatalf("%s is not running", p.name)
	}
	if how == syscall.SIGKILL {
		p.kill()
		return
	}
	_ = syscall.Kill(p.cmd.Process.Pid, how)
	select {
	case <-p.done:
		p.cmd = nil
	case <-time.After(stopPatience):
		p.kill()
		p.t.Errorf("%s had to be killed:\n%s", p.name, p.output)
	}
}

// kill ends the server with its descendants, paused or not, and returns when
// all of them are gone: one that lives on holds the data of the next start.
func (p *process) kill() {
	family := freeze(p.cmd.Process.Pid)
	for _, pid := range family {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	<-p.done
	p.cmd = nil
	deadline := time.After(stopPatience)
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	for slices.ContainsFunc(family, alive) {
		select {
		case <-deadline:
			p.t.Errorf("some of %s outlived it", p.name)
			return
		case <-tick.C:
		}
	}
}

// Pause stops the server and what it forked where they are: connections stay
// open and nothing is answered.
func (p *process) Pause() {
	p.t.Helper()
	if p.cmd == nil {
		p.t.Fatalf("%s is not running", p.name)
	}
	freeze(p.cmd.Process.Pid)
}

// Resume ends a pause.
func (p *process) Resume() {
	p.t.Helper()
	if p.cmd == nil {
		p.t.Fatalf("%s is not running", p.name)
	}
	for _, pid := range descent(p.cmd.Process.Pid) {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
}

// ResumeAfter ends a pause after d, while the test goes on.
func (p *process) ResumeAfter(d time.Duration) {
	p.t.Helper()
	resumed := make(chan struct{})
	time.AfterFunc(d, func() {
		defer close(resumed)
		p.Resume()
	})
	p.t.Cleanup(func() { <-resumed })
}

// Running reports whether the server was started and neither stopped nor killed.
func (p *process) Running() bool { return p.cmd != nil }

// Output is what the server printed since its last start.
func (p *process) Output() string { return p.output.String() }

// close ends the server however it is.
func (p *process) close() {
	if p.cmd == nil {
		return
	}
	p.kill()
}

// find returns the path of a program, looked for on the path and then in
// folders that hold it elsewhere; the last of several versions counts. Without
// it the test is skipped, or fails where CI=true.
func find(t testing.TB, program string, patterns ...string) string {
	t.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, pattern := range patterns {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("there is no %s on this machine", program)
	}
	t.Skipf("NOT TESTED, for want of %s", program)
	return ""
}

// folder makes a folder with a short name, since the path of a Unix socket in
// it must not be longer than 107 bytes, and gives it to who.
func folder(t testing.TB, who *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if who != nil {
		err = os.Chown(dir, int(who.Uid), int(who.Gid))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// unprivileged returns a user for a program that refuses to run as root, nil
// where this process is not root's.
func unprivileged(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	id, err := identify(u)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func identify(u *user.User) (*syscall.Credential, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("user %s: %w", u.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
