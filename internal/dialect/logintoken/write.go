package logintoken

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// write answers with a body that no cache keeps and no browser takes for
// another type. Some answers repeat what was sent, so `<` is escaped, with which
// all markup begins; other characters that mean something in HTML stay as they
// are, as in what JavaScript writes.
func write(w http.ResponseWriter, status int, body any) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(body); err != nil { // no type in this package fails to marshal
		status, text = http.StatusInternalServerError, bytes.Buffer{}
		text.WriteString(`{"name":"GeneralError","message":"Something went wrong here","code":500,"className":"general-error"}`)
	}
	safe := bytes.ReplaceAll(text.Bytes(), []byte("<"), []byte(`\u003c`)) // JSON has it in strings alone
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimSuffix(safe, []byte("\n"))) // a client that left misses nothing
}

// date writes an instant as the dates of this wire, in whole seconds.
func date(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z")
}
