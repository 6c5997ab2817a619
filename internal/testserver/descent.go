package testserver

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// descent returns a process and all that descend from it, in whatever process
// group or session they are: PostgreSQL gives each of its own one.
func descent(pid int) []int {
	family := []int{pid}
	for i := 0; i < len(family); i++ {
		for _, child := range children(family[i]) {
			if !slices.Contains(family, child) {
				family = append(family, child)
			}
		}
	}
	return family
}

// children returns those that the threads of a process forked. One that has
// gone meanwhile has none.
func children(pid int) (pids []int) {
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// freeze stops a process and all that descend from it, and returns them. One
// that was forked while the others were looked for is found the next time.
func freeze(pid int) []int {
	for stopped := 0; ; {
		family := descent(pid)
		for _, p := range family {
			_ = syscall.Kill(p, syscall.SIGSTOP)
		}
		if len(family) <= stopped {
			return family
		}
		stopped = len(family)
	}
}

// alive reports whether a process still runs; one that only waits to be
// reaped does not.
func alive(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ") // after the name
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}
