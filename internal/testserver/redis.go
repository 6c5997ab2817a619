package testserver

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a Redis server on a port of the loopback interface. Unless its
// settings say otherwise it keeps an append-only file in its folder, so that it
// has its data when it is started again.
type RedisServer struct {
	process
	// Address is host and port, Port the latter; Socket is the path of its Unix
	// socket.
	Address, Socket string
	Port            int
	// Password is what requirepass of its settings says.
	Password string
	// Folder is where its files are.
	Folder string

	// CA is the file that verifies the server, "" for one without TLS.
	CA string

	tls *tls.Config
}

// redisDefaults come before the settings of a test, which override them.
var redisDefaults = []string{
	"bind 127.0.0.1", "save \"\"", "appendonly yes", "appendfsync everysec", "daemonize no", "loglevel notice",
	"repl-diskless-sync-delay 0", "enable-debug-command local",
}

// Redis starts a server with these lines of redis.conf beside the defaults.
func Redis(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	return redis(t, "redis-server", nil, settings)
}

// RedisTLS starts a server that speaks nothing but TLS on its port; clients
// verify it with what TLS returns.
func RedisTLS(t testing.TB, settings ...string) *RedisServer {
	t.Helper()
	dir := folder(t, nil)
	certificate, key, config := selfSigned(t, dir)
	s := redis(t, "redis-server", config, append([]string{
		"tls-cert-file " + certificate, "tls-key-file " + key, "tls-ca-cert-file " + certificate, "tls-auth-clients no",
	}, settings...))
	s.CA = certificate
	return s
}

// redis starts a program of the redis family.
func redis(t testing.TB, program string, config *tls.Config, settings []string) *RedisServer {
	t.Helper()
	path := find(t, program)
	s := &RedisServer{Folder: folder(t, nil), Port: loopbackPort(t), tls: config}
	s.Address = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port))
	s.Socket = filepath.Join(s.Folder, "s")
	lines := append([]string{"dir " + s.Folder, "unixsocket " + s.Socket}, ports(s.Port, config != nil)...)
	if program == "redis-server" {
		lines = append(lines, redisDefaults...)
	}
	lines = append(lines, settings...)
	for _, line := range lines {
		if after, found := strings.CutPrefix(line, "requirepass "); found {
			s.Password = after
		}
	}
	file := filepath.Join(s.Folder, "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = process{
		t: t, name: program, asked: syscall.SIGTERM,
		command: func() *exec.Cmd {
			return exec.CommandContext(t.Context(), path, file)
		},
		ready: func() error {
			reply, err := s.Do("PING")
			if err == nil && reply != "PONG" {
				err = fmt.Errorf("it says %v", reply)
			}
			return err
		},
	}
	t.Cleanup(s.close)
	s.Start()
	return s
}

// ports are the settings that say where a server listens.
func ports(port int, encrypted bool) []string {
	if encrypted {
		return []string{"port 0", "tls-port " + strconv.Itoa(port)}
	}
	return []string{"port " + strconv.Itoa(port)}
}

// URL is where clients find the server, with its password.
func (s *RedisServer) URL() string {
	u := url.URL{Scheme: "redis", Host: s.Address}
	if s.tls != nil {
		u.Scheme = "rediss"
	}
	if s.Password != "" {
		u.User = url.UserPassword("default", s.Password)
	}
	return u.String()
}

// TLS returns what verifies the server, nil for one without TLS.
func (s *RedisServer) TLS() *tls.Config { return s.tls.Clone() }

// Do sends one command on a connection of its own and returns the answer: a
// string, an int64, nil or a []any of these. An error of the server is an error.
func (s *RedisServer) Do(args ...string) (any, error) {
	var d net.Dialer
	d.Timeout = answerPatience
	c, err := d.DialContext(s.t.Context(), "unix", s.Socket)
	if err != nil {
		return nil, err
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(answerPatience)); err != nil {
		return nil, err
	}
	r := newReplies(c)
	if s.Password != "" {
		if _, err := r.ask(c, "AUTH", s.Password); err != nil {
			return nil, err
		}
	}
	return r.ask(c, args...)
}

// Must is Do for a command that cannot fail.
func (s *RedisServer) Must(args ...string) any {
	s.t.Helper()
	reply, err := s.Do(args...)
	if err != nil {
		s.t.Fatalf("%s: %s: %v", s.name, args[0], err)
	}
	return reply
}

// loopbackPort returns a port that was free a moment ago.
func loopbackPort(t testing.TB) int {
	t.Helper()
	var c net.ListenConfig
	l, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
