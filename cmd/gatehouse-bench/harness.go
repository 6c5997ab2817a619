package main

import (
	"context"
	"fmt"
	"testing"
)

// harness lets package testserver, which is made for tests, start servers for
// this program: it is a test as far as those servers ask for one. The members
// that they do not use are those of a nil interface.
type harness struct {
	testing.TB
	ctx      context.Context //nolint:containedctx // as every test has one
	cleanups []func()
	failed   error
}

// broken is what a failure panics with, so that it ends the call as in a test.
type broken struct{ err error }

// attempt calls do and returns what it failed with.
func (h *harness) attempt(do func()) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case broken:
			err = v.err
		default:
			panic(v)
		}
	}()
	do()
	return h.failed
}

// close ends what was started, the last first.
func (h *harness) close() error {
	return h.attempt(func() {
		for len(h.cleanups) > 0 {
			last := len(h.cleanups) - 1
			do := h.cleanups[last]
			h.cleanups = h.cleanups[:last]
			do()
		}
	})
}

func (h *harness) Helper()                  {}
func (h *harness) Context() context.Context { return h.ctx }
func (h *harness) Cleanup(do func())        { h.cleanups = append(h.cleanups, do) }

func (h *harness) Error(args ...any)                 { h.failed = fmt.Errorf("%s", fmt.Sprint(args...)) }
func (h *harness) Errorf(format string, args ...any) { h.failed = fmt.Errorf(format, args...) }
func (h *harness) Fatal(args ...any)                 { panic(broken{fmt.Errorf("%s", fmt.Sprint(args...))}) }
func (h *harness) Fatalf(format string, args ...any) { panic(broken{fmt.Errorf(format, args...)}) }
func (h *harness) Skipf(format string, args ...any)  { h.Fatalf(format, args...) }
