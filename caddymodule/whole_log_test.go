package caddymodule

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestWholeLogOfAnOutage: one line says that the store is gone, however many
// requests find that out; each of those has its line in the audit log.
func TestWholeLogOfAnOutage(t *testing.T) {
	w := start(t, "login management")
	if err := w.runtime().Store.Close(); err != nil {
		t.Fatal(err)
	}
	const requests = 50
	for range requests {
		w.refused(w.get("/x", "x-api-key: api_unknown"), http.StatusServiceUnavailable)
	}
	var lines []map[string]any
	eventually(t, 10*time.Second, "it is logged", func() bool {
		lines = w.logged("gatehouse", "the store is out of reach")
		return len(lines) > 0
	})
	w.refused(w.get("/x", "x-api-key: api_unknown"), http.StatusServiceUnavailable)
	if cause, _ := lines[0]["cause"].(string); len(lines) != 1 || lines[0]["level"] != "error" || lines[0]["of"] != "store" || !strings.Contains(cause, "closed") {
		t.Errorf("logged was %v", lines)
	}
	if n := len(w.logged("gatehouse", "")); n > 2 {
		t.Errorf("there are %d lines beside the audit log", n)
	}
	logTurned("sessions", nil)
	if lines := w.logged("gatehouse", "the store is back"); len(lines) != 1 || lines[0]["level"] != "info" || lines[0]["of"] != "sessions" {
		t.Errorf("logged was %v", lines)
	}
}

// TestWholeLogOfWorkInTheBackground that failed names the work and the cause.
func TestWholeLogOfWorkInTheBackground(t *testing.T) {
	w := start(t, "login management")
	logFailed("rotating signing keys", errors.New("no key opens it"))
	lines := w.logged("gatehouse", "work in the background failed and will be tried again")
	if len(lines) != 1 || lines[0]["level"] != "error" || lines[0]["work"] != "rotating signing keys" || lines[0]["error"] != "no key opens it" {
		t.Errorf("logged was %v", lines)
	}
}
