package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// login logs in at a management login and takes the token into a variable; with
// a kid it tries until another one signs: login 10s http://… joe.json TOKEN [not kid]
func login(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 && (len(args) != 6 || args[4] != "not") {
		ts.Fatalf("usage: login time site file variable [not kid]")
	}
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for end := time.Now().Add(limit); ; <-poll.C {
		token := loggedIn(ts, args[1], ts.ReadFile(args[2]))
		if token != "" && (len(args) == 4 || kidIn(ts, token) != args[5]) {
			ts.Setenv(args[3], token)
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("after %s no such token", limit)
		}
	}
}

func loggedIn(ts *testscript.TestScript, site, body string) string {
	client := http.Client{Timeout: 10 * time.Second}
	answer, err := client.Post(site+"/v1/auth/login", "application/json", bytes.NewReader([]byte(body)))
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	var doc map[string]any
	ts.Check(json.NewDecoder(answer.Body).Decode(&doc))
	token, _ := doc["token"].(string)
	return token
}

// kid takes the kid of a JWT into a variable: kid $TOKEN KID
func kid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: kid token variable")
	}
	ts.Setenv(args[1], kidIn(ts, args[0]))
}

func kidIn(ts *testscript.TestScript, token string) string {
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	ts.Check(err)
	var members struct{ Kid string }
	ts.Check(json.Unmarshal(text, &members))
	return members.Kid
}
