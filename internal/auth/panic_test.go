package auth

import (
	"strings"
	"testing"
)

// recovered returns what a panic in fn is reported as.
func recovered(fn func()) (e *Error) {
	defer func() { e = Panicked(recover()) }()
	fn()
	return nil
}

func TestAPanicIsReportedByTypeAndPlace(t *testing.T) {
	e := recovered(func() { panic("a planted secret") })
	if e.Code != Internal || strings.Contains(e.Error(), "planted") || !strings.Contains(e.Error(), "string at panic_test.go:") {
		t.Errorf("got %v", e)
	}
}

func TestAnErrorOfGoItselfIsToldWhole(t *testing.T) {
	var none []int
	e := recovered(func() { _ = none[len(none)] })
	if !strings.Contains(e.Error(), "index out of range") || !strings.Contains(e.Error(), "panic_test.go:") {
		t.Errorf("got %v", e)
	}
}
