package timedlogin_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// corpus returns a folder of the third-party vectors, and skips without them.
func corpus(t *testing.T, name string) string {
	t.Helper()
	root := os.Getenv("GATEHOUSE_CORPORA")
	if root == "" {
		t.Skip("GATEHOUSE_CORPORA is not set: " + name + " is not replayed")
	}
	return filepath.Join(root, name)
}

// Every payload is refused as it is, and with its document type before a login
// that is right otherwise; nothing listens to it, and nothing is read.
func TestXXEPayloadsAreRefused(t *testing.T) {
	path := filepath.Join(corpus(t, "xxe-payloads"), "Intruder", "xxe-injection-payload-list.txt.txt")
	list, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	address, connections := listen(t)
	secret := "canary-8f31c2"
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	payloads := xxePayloads(string(list), address, file)
	if len(payloads) < 20 {
		t.Fatalf("only %d payloads found", len(payloads))
	}
	for i, payload := range payloads {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			res, text, calls := post(t, "application/xml", []byte(payload))
			if res.StatusCode != http.StatusBadRequest || len(calls) != 0 || strings.Contains(text, secret) {
				t.Errorf("%s\nis answered %d %s, the service asked %q", payload, res.StatusCode, text, calls)
			}
			checkRefused(t, text, true)
		})
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

var (
	xxeHost     = regexp.MustCompile(`(https?|ftp)://[^/" >]+`)
	xxeFile     = regexp.MustCompile(`file:///[^" >]+`)
	xxeDoctype  = regexp.MustCompile(`(?s)<!DOCTYPE.*?\]>`)
	xxeInternal = regexp.MustCompile(`<!ENTITY (\w+)`)
)

// xxePayloads cuts a list into its payloads, which stand between empty lines,
// and lets them point to our listener and file. Each document type is also put
// before a login that uses its entities.
func xxePayloads(list, address, file string) (payloads []string) {
	list = xxeHost.ReplaceAllString(list, "http://"+address)
	list = xxeFile.ReplaceAllString(list, "file://"+file)
	for _, payload := range strings.Split(list, "\n\n") {
		payload = strings.TrimSpace(payload)
		if !strings.HasPrefix(payload, "<") {
			continue
		}
		payloads = append(payloads, payload)
		if doctype := xxeDoctype.FindString(payload); doctype != "" {
			payloads = append(payloads, doctype+loginWith(doctype))
		}
	}
	return payloads
}

func loginWith(doctype string) string {
	entity := ""
	if m := xxeInternal.FindStringSubmatch(doctype); m != nil {
		entity = "&" + m[1] + ";"
	}
	return "<Request><UserLogin>John" + entity + "</UserLogin><ApiKey>k</ApiKey></Request>"
}

// listen counts the connections to a port of the loopback.
func listen(t *testing.T) (address string, connections *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections, done := new(atomic.Int64), make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String(), connections
}

// What is no JSON is no login: 400, and never 500.
func TestJSONTestSuiteIsRefused(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(corpus(t, "JSONTestSuite"), "test_parsing", "*.json"))
	if err != nil || len(paths) < 300 {
		t.Fatalf("only %d vectors found, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			body, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			res, text, calls := post(t, "application/json", body)
			if len(calls) != 0 {
				t.Errorf("the service was asked %q", calls)
			}
			// Two of the files are larger than a login may be.
			if len(body) > 64<<10 {
				if res.StatusCode != http.StatusRequestEntityTooLarge {
					t.Errorf("answered %d", res.StatusCode)
				}
				return
			}
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("answered %d", res.StatusCode)
			}
			checkRefused(t, text, false)
		})
	}
}
