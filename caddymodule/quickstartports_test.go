package caddymodule

import (
	"errors"
	"net"
	"strings"
	"testing"
)

// listening returns the address of a listener that others can share, as
// Caddy's are, until the test ends.
func listening(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func TestQuickstartSharesNoPort(t *testing.T) {
	busy := listening(t)
	const offAdmin = `"admin":{"disabled":true}`
	site := func(listen string) string {
		return `"apps":{"http":{"servers":{"srv0":{"listen":["` + listen + `"]}}}}`
	}
	for name, c := range map[string]struct {
		config string
		taken  bool
	}{
		"a site's port that is taken is refused":        {"{" + offAdmin + "," + site(busy) + "}", true},
		"so is that of the admin API":                   {`{"admin":{"listen":"` + busy + `"}}`, true},
		"a port of the system's choice is free":         {"{" + offAdmin + "," + site("127.0.0.1:0") + "}", false},
		"a socket in the file system is Caddy's to see": {"{" + offAdmin + "," + site("unix//tmp/x.sock") + "}", false},
		"what is no address is Caddy's to refuse":       {"{" + offAdmin + "," + site("::::") + "}", false},
		"what is no configuration too":                  {"[]", false},
	} {
		t.Run(name, func(t *testing.T) {
			err := portsFree(t.Context(), []byte(c.config))
			if (err != nil) != c.taken || c.taken && !strings.Contains(err.Error(), "another program listens on "+busy) {
				t.Error(err)
			}
		})
	}
}

func TestTheReasonThatAStartFailsIsOneSentence(t *testing.T) {
	for text, want := range map[string]string{
		"loading new config: gatehouse app module: start: the store /x cannot be made":                             "the store /x cannot be made",
		"loading new config: loading gatehouse app module: provision gatehouse: key_ring: nothing":                 "key_ring: nothing",
		"loading new config: http app module: start: listening on :1: listen tcp :1: bind: address already in use": "another program listens on :1: end it, or change the port in the Caddyfile",
		"something else": "something else",
	} {
		if got := startError(errors.New(text)).Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
