package caddymodule

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// auditFiles returns the files that a configuration in Caddy's own JSON has the
// audit log written to.
func auditFiles(body []byte) ([]string, error) {
	var doc struct {
		Logging struct {
			Logs map[string]struct {
				Writer struct {
					Output   string `json:"output"`
					Filename string `json:"filename"`
				} `json:"writer"`
				Include []string `json:"include"`
				Exclude []string `json:"exclude"`
			} `json:"logs"`
		} `json:"logging"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return nil, fmt.Errorf("this is no configuration of Caddy: %w", err)
	}
	var files []string
	for _, name := range slices.Sorted(maps.Keys(doc.Logging.Logs)) {
		l := doc.Logging.Logs[name]
		if l.Writer.Output != "file" || !takesAudit(l.Include, l.Exclude) {
			continue
		}
		if file := caddy.NewReplacer().ReplaceAll(l.Writer.Filename, ""); !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	return files, nil
}

// takesAudit reports whether a log has the lines of the audit logger: the
// longest name that covers it decides, as in Caddy.
func takesAudit(include, exclude []string) bool {
	in, out := covering(include), covering(exclude)
	if slices.Contains(exclude, "*") || len(include) > 0 && in == 0 {
		return false
	}
	return out == 0 || in > out
}

// covering returns the length of the longest name that covers the audit logger.
func covering(names []string) (longest int) {
	for _, name := range names {
		if below, ok := strings.CutPrefix(auditLogger, name); ok && (below == "" || below[0] == '.') {
			longest = max(longest, len(name))
		}
	}
	return longest
}

// openLog opens a log: one that was rolled and packed too, and "-" for in.
func openLog(name string, in io.Reader) (log io.Reader, done func() error, err error) {
	if name == "-" {
		return in, func() error { return nil }, nil
	}
	file, err := os.Open(name) //nolint:gosec // the operator names it
	if err != nil {
		return nil, nil, fmt.Errorf("the log cannot be read: %w", err)
	}
	if !strings.HasSuffix(name, ".gz") {
		return file, file.Close, nil
	}
	packed, err := gzip.NewReader(file)
	if err != nil {
		_ = file.Close()
		return nil, nil, fmt.Errorf("the log %s cannot be unpacked: %w", name, err)
	}
	return packed, file.Close, nil
}
