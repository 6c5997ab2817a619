package caddymodule

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"time"
)

// auditLine is a line of the audit log, as a JSON encoder writes the fields of
// an [auditor]. The login name is left out: people type passwords into it.
type auditLine struct {
	Time       auditTime `json:"ts"`
	Logger     string    `json:"logger"`
	Event      string    `json:"msg"`
	RequestID  string    `json:"request_id"`
	OK         bool      `json:"ok"`
	Realm      string    `json:"realm"`
	Code       string    `json:"code"`
	Reason     string    `json:"reason"`
	Dialect    string    `json:"dialect"`
	Subject    string    `json:"subject"`
	TokenID    string    `json:"token_id"`
	KeyID      int64     `json:"key_id"`
	Credential string    `json:"credential"`
	Method     string    `json:"method"`
	Host       string    `json:"host"`
	Path       string    `json:"path"`
	Rule       int       `json:"rule"`
	Address    string    `json:"address"`
	Observed   bool      `json:"observed"`
}

// auditTime is when a line was written: seconds of the epoch, or a text in the
// time_format of the log, which is kept as it stands.
type auditTime string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *auditTime) UnmarshalJSON(text []byte) error {
	var seconds float64
	if json.Unmarshal(text, &seconds) == nil && math.Abs(seconds) < 1e11 {
		whole, part := math.Modf(seconds)
		*t = auditTime(time.Unix(int64(whole), int64(part*1e9)).UTC().Format(time.RFC3339))
		return nil
	}
	return json.Unmarshal(text, (*string)(t))
}

// requestIDForm is how Caddy writes {http.request.uuid}.
var requestIDForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

const (
	auditLogger = "http.handlers.gatehouse.audit"
	// maxAuditLine bounds what is kept of a log at a time: a longer line is
	// not of the gateway.
	maxAuditLine = 1 << 20
	// maxOfRequest bounds the lines of one request, of which there are two or
	// three at most.
	maxOfRequest = 100
)

// auditLines returns the lines about a request in a log, in their order. What
// is not JSON, and what other loggers wrote, is passed over.
func auditLines(log io.Reader, id string) (found []auditLine, err error) {
	r := bufio.NewReaderSize(log, maxAuditLine)
	whole := true // of a longer line nothing is taken
	for len(found) < maxOfRequest {
		text, err := r.ReadSlice('\n')
		if whole && !errors.Is(err, bufio.ErrBufferFull) && bytes.Contains(text, []byte(id)) {
			if l, ok := readAuditLine(text, id); ok {
				found = append(found, l)
			}
		}
		switch whole = !errors.Is(err, bufio.ErrBufferFull); {
		case errors.Is(err, io.EOF):
			return found, nil
		case err != nil && whole:
			return found, err
		}
	}
	return found, nil
}

func readAuditLine(text []byte, id string) (auditLine, bool) {
	var l auditLine
	if json.Unmarshal(text, &l) != nil {
		return l, false
	}
	return l, l.RequestID == id && strings.HasSuffix(l.Logger, auditLogger)
}
