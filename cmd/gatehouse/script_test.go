package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be `gatehouse`, for scripts and other tests.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatehouse": main})
}

// TestScripts runs the scripts of testdata/script: what somebody types, and
// what comes of it. Beside the commands of testscript they have those below.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			for _, name := range []string{"HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"} {
				e.Setenv(name, e.WorkDir)
			}
			e.Setenv("PORT", freePort(t))
			e.Setenv("PORT2", freePort(t))
			// Under the race detector a process waits a second before it
			// ends, in case something is still going on.
			e.Setenv("GORACE", e.Getenv("GORACE")+" atexit_sleep_ms=10")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"members": members,
			"member":  member,
			"becomes": becomes,
			"kid":     kid,
			"login":   login,
		},
		RequireUniqueNames: true,
	})
}

// exits runs a program that must end with a code: exits 2 gatehouse key.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		failed, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = failed.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// members checks the names in a JSON object, or in the first of an array, that
// was printed: exactly these.
func members(ts *testscript.TestScript, neg bool, want []string) {
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(printed(ts))); neg || !slices.Equal(got, want) {
		ts.Fatalf("the members are %v, not %v", got, want)
	}
}

// member takes a member of what was printed into a variable: member id ID.
func member(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: member name variable")
	}
	value, ok := printed(ts)[args[0]]
	if !ok {
		ts.Fatalf("there is no member %s", args[0])
	}
	ts.Setenv(args[1], fmt.Sprint(value))
}

func printed(ts *testscript.TestScript) map[string]any {
	d := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	d.UseNumber()
	var doc any
	ts.Check(d.Decode(&doc))
	if all, ok := doc.([]any); ok && len(all) > 0 {
		doc = all[0]
	}
	object, ok := doc.(map[string]any)
	if !ok {
		ts.Fatalf("this is no JSON object")
	}
	return object
}

// becomes polls until a request is answered with a status, and fails when that
// takes too long: becomes 1s 401 GET http://… 'x-api-key: …' [@body]
func becomes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: becomes time status method url [header: value] [@file]")
	}
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(limit); ; <-poll.C {
		began := time.Now()
		got := ask(ts, args[2], args[3], args[4:])
		if got == args[1] {
			return
		}
		if began.After(end) {
			ts.Fatalf("after %s the answer is %s, not %s", limit, got, args[1])
		}
	}
}

// ask returns the status of an answer, or why there is none.
func ask(ts *testscript.TestScript, method, url string, extra []string) string {
	var body []byte
	header := http.Header{}
	for _, one := range extra {
		if file, ok := strings.CutPrefix(one, "@"); ok {
			body = []byte(ts.ReadFile(file))
			continue
		}
		name, value, _ := strings.Cut(one, ": ")
		header.Add(name, value)
	}
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	ts.Check(err)
	r.Header = header
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Do(r)
	if err != nil {
		return err.Error()
	}
	ts.Check(answer.Body.Close())
	return strconv.Itoa(answer.StatusCode)
}
