package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// event is a system call in a trace of strace. The order of a trace is that in
// which calls were entered and left: one that waits for another is entered after
// that was left.
type event struct {
	call, file string
	data       []byte // what a call that writes hands over
	began      int    // the place in the trace
	ended      int    // 0 for a call that had not returned at the end
	failed     bool
}

// readTrace reads what strace -f -y -xx wrote. A line is
//
//	17 pwrite64(9<\x2f…>, "\x00…", 24, 32) = 24
//
// or, where others came between,
//
//	17 fdatasync(9<\x2f…> <unfinished ...>
//	17 <... fdatasync resumed>) = 0
func readTrace(from io.Reader) (events []*event, err error) {
	under := map[string]*event{} // way, by thread
	lines := bufio.NewReaderSize(from, 1<<20)
	for at := 1; ; at += 2 {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return events, nil
		}
		if err != nil {
			return nil, err
		}
		thread, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		rest = strings.TrimLeft(rest, " ")
		if _, end, found := strings.Cut(rest, " resumed>"); found && strings.HasPrefix(rest, "<... ") {
			under[thread].ends(at, end)
			delete(under, thread)
			continue
		}
		e, tail, err := enter(rest)
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue // a signal, an exit, or a call without a descriptor
		}
		e.began = at
		events = append(events, e)
		if strings.HasSuffix(tail, "<unfinished ...>") {
			under[thread] = e
			continue
		}
		e.ends(at+1, tail)
	}
}

// enter reads the beginning of a call and returns what is behind the text that
// it hands over; nil for what is no call with a descriptor.
func enter(line string) (e *event, tail string, err error) {
	call, arguments, found := strings.Cut(line, "(")
	digits := len(arguments) - len(strings.TrimLeft(arguments, "0123456789"))
	if !found || strings.ContainsAny(call, " <+-") || digits == 0 {
		return nil, "", nil
	}
	e, tail = &event{call: call}, arguments[digits:]
	if name, rest, found := strings.Cut(tail, ">"); found && strings.HasPrefix(name, "<\\x") {
		e.file, tail = string(plain(name[1:])), rest
	}
	text, quoted := strings.CutPrefix(tail, `, "`)
	if !quoted {
		return e, tail, nil
	}
	text, tail, _ = strings.Cut(text, `"`)
	if strings.HasPrefix(tail, "...") {
		return nil, "", fmt.Errorf("strace cut off what a call wrote: %.100s", line)
	}
	e.data = plain(text)
	return e, tail, nil
}

// ends takes what a call returned, behind the parenthesis that closes it.
func (e *event) ends(at int, tail string) {
	_, result, found := strings.Cut(tail, ") ")
	result = strings.TrimLeft(result, " ")
	if e == nil || !found || !strings.HasPrefix(result, "= ") {
		return
	}
	e.ended, e.failed = at, strings.HasPrefix(result, "= -") || strings.HasPrefix(result, "= ?")
}

// plain undoes strace's -xx.
func plain(text string) []byte {
	data := make([]byte, len(text)/4)
	for i := range data {
		if _, err := hex.Decode(data[i:i+1], []byte(text[4*i+2:4*i+4])); err != nil {
			panic(err) // -xx writes all characters so
		}
	}
	return data
}

// answers reports whether e hands text to a client.
func (e *event) answers(text string) bool {
	return (e.call == "write" || e.call == "sendto") && strings.HasPrefix(e.file, "socket:") && bytes.Contains(e.data, []byte(text))
}

// logged reports whether e is about the write-ahead log.
func (e *event) logged(calls ...string) bool {
	return strings.HasSuffix(e.file, "-wal") && slices.Contains(calls, e.call)
}

// The layout of SQLite's write-ahead log (https://sqlite.org/fileformat.html,
// "The Write-Ahead Log"): each page has a header of 24 bytes before it, whose
// second word is 0 in all but the last page of a transaction.
const frameHeader = 24

// heads reports whether e writes the header of a page.
func (e *event) heads() bool { return e.logged("pwrite64") && len(e.data) == frameHeader }

// commits reports whether e writes the header of a transaction's last page.
func (e *event) commits() bool { return e.heads() && !bytes.Equal(e.data[4:8], make([]byte, 4)) }

func (e *event) synced() bool { return e.logged("fsync", "fdatasync") && !e.failed }

// answered finds what told a client a text for the first time.
func answered(events []*event, text string) *event {
	i := slices.IndexFunc(events, func(e *event) bool { return e.answers(text) })
	if i < 0 {
		return nil
	}
	return events[i]
}

// coveredBy returns the sync that made the transaction durable which wrote some
// bytes into the log for the first time.
func coveredBy(events []*event, digest []byte) (*event, error) {
	page := slices.IndexFunc(events, func(e *event) bool { return e.logged("pwrite64") && bytes.Contains(e.data, digest) })
	if page < 1 {
		return nil, errors.New("the row is nowhere in the log")
	}
	from := page // and its own header, which comes right before it
	for from > 0 && !events[from].heads() {
		from--
	}
	return syncAfter(events[from:])
}

// syncAfter returns the first sync that covers the first commit of these events.
func syncAfter(events []*event) (*event, error) {
	header := slices.IndexFunc(events, (*event).commits)
	if header < 0 {
		return nil, errors.New("no transaction ends")
	}
	rest := events[header+1:]
	last := slices.IndexFunc(rest, func(e *event) bool { return e.logged("pwrite64") })
	if last < 0 || rest[last].ended == 0 {
		return nil, errors.New("a transaction has no last page")
	}
	written := rest[last].ended
	i := slices.IndexFunc(rest, func(e *event) bool { return e.synced() && e.began > written })
	if i < 0 || rest[i].ended == 0 {
		return nil, errors.New("nothing syncs the log after it")
	}
	return rest[i], nil
}

// tooEarly says why an answer should not have left yet, nil where it could.
func tooEarly(events []*event, answer string, digest []byte) error {
	a := answered(events, answer)
	if a == nil {
		return errors.New("the trace has no such answer")
	}
	s, err := coveredBy(events, digest)
	if err != nil {
		return err
	}
	if s.ended > a.began {
		return fmt.Errorf("the answer left at line %d of the trace, and its sync returned at %d", a.began/2+1, s.ended/2+1)
	}
	return nil
}

// TestTracesAreReadStrictly has one trace in which an answer waits for its sync,
// and those in which it does not.
func TestTracesAreReadStrictly(t *testing.T) {
	quoted := func(text string) string {
		var b strings.Builder
		for _, c := range []byte(text) {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
		return b.String()
	}
	wal, socket := "<"+quoted("/tmp/db-wal")+">", "<"+quoted("socket:[1]")+">"
	header := func(commit string) string {
		return `7 pwrite64(9` + wal + `, "` + quoted("\x00\x00\x00\x01"+commit+strings.Repeat("s", 16)) + `", 24, 32) = 24`
	}
	page := `7 pwrite64(9` + wal + `, "` + quoted("row DIGEST row") + `", 14, 56) = 14`
	other := `7 pwrite64(9` + wal + `, "` + quoted("another page") + `", 12, 99) = 12`
	first, last := header("\x00\x00\x00\x00"), header("\x00\x00\x00\x05")
	sync := `7 fdatasync(9` + wal + `) = 0`
	begun, done := `7 fdatasync(9`+wal+` <unfinished ...>`, `7 <... fdatasync resumed>)            = 0`
	answer := `8 write(12` + socket + `, "` + quoted("HTTP/1.1 200 OK TOKEN") + `", 21) = 21`
	for name, c := range map[string]struct {
		lines []string
		good  bool
	}{
		"the answer comes after the sync":                    {[]string{first, page, last, other, sync, answer}, true},
		"the row is in the last page":                        {[]string{first, other, last, page, sync, answer}, true},
		"the sync is waited for":                             {[]string{last, page, begun, "9 +++ exited with 0 +++", done, answer}, true},
		"nothing syncs":                                      {[]string{last, page, answer}, false},
		"the sync comes after the answer":                    {[]string{last, page, answer, sync}, false},
		"the sync returns after the answer":                  {[]string{last, page, begun, answer, done}, false},
		"the sync begins before the last page":               {[]string{first, page, last, begun, other, done, answer}, false},
		"the sync is that of an earlier transaction":         {[]string{last, other, sync, last, page, answer}, false},
		"the sync fails":                                     {[]string{last, page, `7 fdatasync(9` + wal + `) = -1 EIO (Input/output error)`, answer}, false},
		"the sync is that of another file":                   {[]string{last, page, `7 fdatasync(9<` + quoted("/tmp/db") + `>) = 0`, answer}, false},
		"the transaction does not end":                       {[]string{first, page, sync, answer}, false},
		"the row is not written":                             {[]string{last, other, sync, answer}, false},
		"the answer is not there":                            {[]string{last, page, sync}, false},
		"the answer is written to a file and not a client":   {[]string{last, page, sync, strings.Replace(answer, socket, wal, 1)}, false},
		"the answer left once before, and once after a sync": {[]string{last, page, answer, sync, answer}, false},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := readTrace(strings.NewReader(strings.Join(c.lines, "\n") + "\n"))
			if err != nil {
				t.Fatal(err)
			}
			if err := tooEarly(events, "TOKEN", []byte("DIGEST")); (err == nil) != c.good {
				t.Errorf("%v", err)
			}
		})
	}
	if _, err := readTrace(strings.NewReader(`7 write(1` + socket + `, "` + quoted("x") + `"..., 100) = 100` + "\n")); err == nil {
		t.Error("a trace that was cut off is read as a whole one")
	}
}
