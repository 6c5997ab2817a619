package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Names and descriptions may hold anything that a client once sent. On a
// terminal some characters are commands: none of them is printed as it is.

// visible returns text as one line, with what does not print as Go escapes.
func visible(text string) string {
	return escaped(strings.ReplaceAll(text, "\n", " "), func(c rune) string {
		return strings.Trim(strconv.QuoteRune(c), "'")
	})
}

// escaped replaces each character of text that does not print.
func escaped(text string, by func(rune) string) string {
	var out strings.Builder
	for i, c := range text {
		switch {
		case c == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			fmt.Fprintf(&out, `\x%02x`, text[i])
		case c == '\n' || unicode.IsPrint(c):
			out.WriteRune(c)
		default:
			out.WriteString(by(c))
		}
	}
	return out.String()
}

// cell returns text as it stands in a table: quoted where it would not be read
// as one word of it, "-" where there is none.
func cell(text string) string {
	if text == "" {
		return "-"
	}
	if text == "-" || strings.ContainsFunc(text, func(c rune) bool { return c == utf8.RuneError || !unicode.IsPrint(c) }) {
		return strconv.Quote(text)
	}
	return text
}

func listCell(all []string) string {
	cells := make([]string, len(all))
	for i, one := range all {
		cells[i] = cell(one)
	}
	return cell(strings.Join(cells, ","))
}

func boolCell(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func timeCell(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}

// instantJSON is an instant in JSON: RFC 3339 in UTC, null for none.
type instantJSON time.Time

// MarshalJSON implements [json.Marshaler].
func (t instantJSON) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	return time.Time(t).UTC().MarshalJSON()
}

// encoded returns v as JSON. What does not print is escaped in it too: outside
// of strings there is nothing of the kind.
func encoded(v any, indent string) (string, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return escaped(strings.TrimSuffix(text.String(), "\n"), func(c rune) string {
		var out strings.Builder
		for _, unit := range utf16.AppendRune(nil, c) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
		return out.String()
	}), nil
}

// line is one line of a description: a name and a value.
type line struct{ name, value string }

// show prints one thing: doc as JSON, or the lines.
func (o *operation) show(doc any, lines ...line) error {
	if o.json {
		text, err := encoded(doc, "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(o.cmd.OutOrStdout(), text)
		return err
	}
	w := aligned(o.cmd.OutOrStdout())
	for _, l := range lines {
		_, _ = fmt.Fprintf(w, "%s\t%s\n", l.name, l.value) // Flush tells
	}
	return w.Flush()
}

func aligned(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 8, 2, ' ', 0) }

// tell prints what was done: doc as JSON, or a sentence.
func (o *operation) tell(doc any, format string, args ...any) error {
	if o.json {
		return o.show(doc)
	}
	_, err := fmt.Fprintf(o.cmd.OutOrStdout(), format+"\n", args...)
	return err
}

// note says something beside the result, for people only.
func (o *operation) note(format string, args ...any) {
	if !o.json {
		o.cmd.PrintErrf(format+"\n", args...)
	}
}

// listing is a list as it is printed: each row as JSON or as the cells of a
// table.
type listing[T any] struct {
	head  []string
	doc   func(T) (any, error)
	cells func(T) ([]string, error)
}

// list prints rows one by one as read yields them.
func list[T any](o *operation, l listing[T], read func(yield func(T) error) error) error {
	if o.json {
		return listJSON(o, l, read)
	}
	w := aligned(o.cmd.OutOrStdout())
	_, _ = fmt.Fprintln(w, strings.Join(l.head, "\t")) // Flush tells
	err := read(func(row T) error {
		cells, err := l.cells(row)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(w, strings.Join(cells, "\t"))
		return err
	})
	if err != nil {
		return err
	}
	return w.Flush()
}

// listJSON prints an array, a row to a line.
func listJSON[T any](o *operation, l listing[T], read func(yield func(T) error) error) error {
	out, sep := o.cmd.OutOrStdout(), "["
	err := read(func(row T) error {
		doc, err := l.doc(row)
		if err != nil {
			return err
		}
		text, err := encoded(doc, "")
		if err != nil {
			return err
		}
		_, err = fmt.Fprint(out, sep, "\n", text)
		sep = ","
		return err
	})
	if err != nil {
		return err
	}
	if sep == "[" {
		_, err = fmt.Fprintln(out, "[]")
		return err
	}
	_, err = fmt.Fprintln(out, "\n]")
	return err
}
