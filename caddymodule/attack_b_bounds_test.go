package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// A body that is deep, wide or large is refused, and soon.
func TestB03DeepWideAndLargeBodiesAreRefused(t *testing.T) {
	a := startBesieged(t)
	many := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(`"",`, n), ",") + "]" }
	a.all(func(t *testing.T, c bodyCall) {
		for _, b := range []struct {
			name, body string
			status     int
		}{
			{"33 levels", c.withMember(`"d":` + strings.Repeat("[", 32) + strings.Repeat("]", 32)), 400},
			{"10,000 levels", c.withMember(`"d":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), 400},
			{"10,000 objects in each other", c.withMember(`"d":` + strings.Repeat(`{"":`, 10_000) + "1" + strings.Repeat("}", 10_000)), 400},
			{"10,001 values", c.withMember(`"d":` + many(10_001)), 400},
			{"100,000 strings", c.withMember(`"d":` + many(100_000)), 413},
			{"a name of 1 MB", c.withMember(`"` + strings.Repeat("a", 1<<20) + `":1`), 413},
			{"a number of 10 MB", c.withMember(`"d":` + strings.Repeat("1", 10<<20)), 413},
			{"one byte past the bound", c.body + strings.Repeat(" ", 64<<10+1-len(c.body)), 413},
		} {
			if got := a.soon(t, c, b.name, b.body); got.status != b.status {
				badBody(t, b.name, got, b.status)
			}
		}
		atBound := c.body + strings.Repeat(" ", 64<<10-len(c.body))
		if got := a.send(c, atBound); got.status != c.ok {
			t.Errorf("a body at the bound: %v", got)
		}
		if got := a.send(c, c.withMember(`"d":`+strings.Repeat("[", 31)+strings.Repeat("]", 31))); got.status != c.ok && got.status != 400 {
			t.Errorf("32 levels: %v", got)
		}
		// Without a length, the bound is met while reading.
		got := a.chunked(c, strings.NewReader(c.body+strings.Repeat(" ", 64<<10)))
		badBody(t, "chunks past the bound", got, 413)
	})
	a.run("what the guard reads of a body is bounded too", func(t *testing.T) {
		good := `"token":"` + a.user + `"`
		badBody(t, "large", a.post("/x", "{"+good+`,"a":"`+strings.Repeat("a", 64<<10)+`"}`, jsonType), 413)
		badBody(t, "deep", a.post("/x", "{"+good+`,"a":`+strings.Repeat("[", 30_000)+strings.Repeat("]", 30_000)+"}", jsonType), 401)
		a.passed(a.post("/x", strings.Repeat("a", 1<<20), bearerOf(a.user))) // nobody looks into an upload
	})
	a.run("a form has bounds too", func(t *testing.T) {
		who := []string{basicPair(a.machine.id, a.machine.secret), "Content-Type: application/x-www-form-urlencoded"}
		badBody(t, "65 parameters", a.post("/oauth2/token", "grant_type=client_credentials"+strings.Repeat("&", 64), who...), 400)
		badBody(t, "64 KiB and a byte", a.post("/oauth2/token", "grant_type=client_credentials&a="+strings.Repeat("a", 64<<10), who...), 413)
	})
	a.run("a password too long is a wrong one", func(t *testing.T) {
		for _, c := range a.bodyCalls() {
			if strings.Contains(c.body, annPassword) {
				long := strings.Replace(c.body, annPassword, strings.Repeat("a", 1025), 1)
				badBody(t, c.name, a.send(c, long), 401)
			}
		}
	})
}

// soonEnough is far more than a refusal takes and far less than an attack
// wants; the ledger's figures are of an idle machine, and are logged.
const soonEnough = 250 * time.Millisecond

// soon makes a call up to five times, and fails the test unless the fastest was
// soon enough.
func (a *besieged) soon(t *testing.T, c bodyCall, what, body string, more ...string) (got answer) {
	t.Helper()
	best := time.Hour
	for range 5 {
		started := time.Now()
		got = a.send(c, body, more...)
		best = min(best, time.Since(started))
		if best < 5*time.Millisecond {
			break
		}
	}
	if best > soonEnough {
		t.Errorf("%s: refused after %s", what, best)
	}
	if best > 5*time.Millisecond {
		t.Logf("%s: %d after %s", what, got.status, best)
	}
	return got
}

// chunked makes a call with a body of unknown length.
func (a *besieged) chunked(c bodyCall, body io.Reader) answer {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), c.method, a.site+c.path, io.MultiReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, f := range append(c.fields, jsonType, a.elsewhere()) {
		name, value, _ := strings.Cut(f, ": ")
		r.Header.Set(name, value)
	}
	res, err := a.client.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(text)}
}

// A body that comes a byte at a time ends in bounded time, wherever it is sent,
// and is never taken for a whole one. All wait at once: for the ten seconds of
// one.
func TestB03SlowBodiesEndInTenSeconds(t *testing.T) {
	a := startBesieged(t)
	type slow struct {
		name, method, path string
		fields             []string
		status             string
	}
	form := "Content-Type: application/x-www-form-urlencoded"
	cases := []slow{
		{"a form", "POST", "/oauth2/token", []string{form}, "408"},
		{"a credential in a guarded body", "POST", "/x", []string{jsonType}, "408"},
		{"one on a public path", "POST", "/open/x", []string{jsonType}, "408"},
		{"a body that nobody reads, behind the guard", "POST", "/x", []string{"x-api-key: wrong", jsonType}, "401"},
		{"one to a call that there is not", "POST", "/v1/auth/nothing", []string{jsonType}, "404"},
		{"one of a type that is not read", "POST", "/api/login", []string{"Content-Type: text/plain"}, "415"},
		{"XML", "POST", "/api/login", []string{"Content-Type: application/xml"}, "408"},
		{"one of a method that is not served", "PUT", "/x", []string{"x-api-key: wrong"}, "401"},
	}
	for _, c := range a.bodyCalls() {
		cases = append(cases, slow{c.name, c.method, c.path, slices.Concat(c.fields, []string{jsonType}), "408"})
	}
	var all sync.WaitGroup
	for _, c := range cases {
		for _, length := range []string{"Content-Length: 4000", "Transfer-Encoding: chunked"} {
			all.Go(func() {
				status, took := a.trickle(c.method, c.path, slices.Concat(c.fields, []string{length}))
				if status != c.status || took > dialect.BodyTime+8*time.Second {
					t.Errorf("%s (%s): answered %q after %s, want %s after about %s", c.name, length, status, took, c.status, dialect.BodyTime)
				}
			})
		}
	}
	all.Wait()
	a.passed(a.post("/x", `{"token":"`+a.user+`"}`, jsonType))
}

// trickle sends a body that never ends, a byte now and then, until it is
// answered, and returns the status and the time.
func (a *besieged) trickle(method, path string, fields []string) (status string, took time.Duration) {
	started := time.Now()
	c, err := net.Dial("tcp", a.host())
	if err != nil {
		return err.Error(), 0
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(started.Add(2 * time.Minute))
	head := method + " " + path + " HTTP/1.1\r\nHost: " + a.host() + "\r\n" + strings.Join(fields, "\r\n") + "\r\n\r\n"
	first, drop := "{", " "
	if strings.Contains(head, "chunked") {
		first, drop = "1\r\n{\r\n", "1\r\n \r\n"
	}
	if _, err := io.WriteString(c, head+first); err != nil {
		return err.Error(), 0
	}
	answered := make(chan string, 1)
	go func() {
		line, err := bufio.NewReader(c).ReadString('\n')
		if err != nil {
			line = fmt.Sprint("x ", err)
		}
		_, line, _ = strings.Cut(line, " ")
		answered <- line[:min(len(line), 3)]
	}()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case status := <-answered:
			return status, time.Since(started)
		case <-tick.C:
			_, _ = io.WriteString(c, drop) // the server may have closed: then there is an answer
		}
	}
}

// What expands, nests or repeats in XML is refused before it costs anything.
func TestB08XMLBombsAreRefused(t *testing.T) {
	a := startBesieged(t)
	login := func(inner string) string {
		return "<Request><UserLogin>ann</UserLogin><ApiKey>" + a.key + "</ApiKey>" + inner + "</Request>"
	}
	var laughs strings.Builder
	laughs.WriteString(`<!DOCTYPE Request [<!ENTITY lol "lol">`)
	for i := range 9 {
		fmt.Fprintf(&laughs, `<!ENTITY l%d "%s">`, i, strings.Repeat(fmt.Sprintf("&l%d;", i-1), 10))
	}
	laughs.WriteString("]>")
	quadratic := `<!DOCTYPE Request [<!ENTITY a "` + strings.Repeat("a", 20_000) + `">]>` + login("<x>"+strings.Repeat("&a;", 10_000)+"</x>")
	attributes := func(n int) string {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, ` a%d=""`, i)
		}
		return "<x" + text.String() + "/>"
	}
	for _, b := range []struct {
		name, body string
		status     int
	}{
		{"billion laughs", laughs.String() + login("<x>&l8;</x>"), 400},
		{"quadratic blow-up", quadratic, 400},
		{"an entity of itself", `<!DOCTYPE Request [<!ENTITY a "&a;">]>` + login("<x>&a;</x>"), 400},
		{"17 levels", login(strings.Repeat("<x>", 16) + strings.Repeat("</x>", 16)), 400},
		{"10,000 tags in each other", login(strings.Repeat("<a>", 10_000)), 400},
		{"1,000,000 tags in each other", login(strings.Repeat("<a>", 1_000_000)), 413},
		{"10,000 tags beside each other", login(strings.Repeat("<a/>", 10_000)), 400},
		{"129 attributes", login(attributes(129)), 400},
		{"6,000 attributes", login(attributes(6_000)), 400},
		{"one attribute 9,000 times", login("<x" + strings.Repeat(` a=""`, 9_000) + "/>"), 400},
		{"200,000 attributes", login(attributes(200_000)), 413},
		{"a tag without an end", login("<x " + strings.Repeat("a", 50_000)), 400},
		{"a comment without an end", login("<!--" + strings.Repeat("a", 50_000)), 400},
		{"a comment of 60 KB", "<!--" + strings.Repeat("a", 60_000) + "-->" + login("<x"), 400},
	} {
		a.run(b.name, func(t *testing.T) {
			for _, media := range []string{"application/xml", "text/xml"} {
				c := bodyCall{method: "POST", path: "/api/login"}
				got := a.soon(t, c, b.name, b.body, "Content-Type: "+media)
				badBody(t, b.name, got, b.status)
				if spent := a.allocated(func() { a.send(c, b.body, "Content-Type: "+media) }); spent > 2<<20 {
					t.Errorf("%d KiB for a body of %d, client and server together", spent>>10, len(b.body)>>10)
				}
			}
		})
	}
	if got := a.post("/api/login", login(""), "Content-Type: application/xml"); got.status != http.StatusOK {
		t.Error("the login itself is refused: ", got)
	}
}

// allocated returns the least that f allocates in three runs, since others
// allocate too.
func (a *besieged) allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
