package auth

import (
	"fmt"
	"runtime"
	"strings"
)

// Panicked returns the [Internal] error that a recovered panic is. It says
// where it happened and, of Go's own errors, what; of any other value only the
// type, since it may hold what must not be printed.
func Panicked(p any) *Error {
	what := fmt.Sprintf("a value of type %T", p)
	if e, ok := p.(runtime.Error); ok {
		what = e.Error()
	}
	return Fail(Internal, "", fmt.Errorf("panic with %s at %s", what, panicSite()))
}

// panicSite returns file and line of the function that panicked: the first
// one below the runtime's.
func panicSite() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	panicked := false
	for {
		f, more := frames.Next()
		ours := !strings.HasPrefix(f.Function, "runtime.")
		if panicked && ours {
			return fmt.Sprintf("%s:%d", f.File[strings.LastIndexByte(f.File, '/')+1:], f.Line)
		}
		panicked = panicked || !ours
		if !more {
			return "an unknown place"
		}
	}
}
