package timedlogin

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// write answers with body in the media type out. XML goes without a
// declaration, as in the contract and as ASP.NET Web API writes it: the
// charset is in the Content-Type.
func write(w http.ResponseWriter, status int, out string, body any) {
	encode := json.Marshal
	if isXML(out) {
		encode = xml.Marshal
	}
	text, err := encode(body)
	if err != nil {
		// Strings and numbers always encode.
		status, text = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", out+"; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// loginResp is LoginResp of the contract.
type loginResp struct {
	XMLName     xml.Name `json:"-" xml:"Response"`
	Token       string
	ExpireInSec int64
	ExpireDate  date
}

func newLoginResp(i session.Issued) loginResp {
	return loginResp{
		Token:       i.Token.Reveal(),
		ExpireInSec: int64(i.TTL / time.Second),
		// Both formats say the same instant, so both are cut to what JSON
		// can say.
		ExpireDate: date(i.Expires.UTC().Truncate(time.Millisecond)),
	}
}

// date is an instant in whole milliseconds.
type date time.Time

// MarshalJSON writes `"\/Date(1770202477469)\/"`. The slashes are escaped in
// the bytes, which is how .NET's old parsers tell a date from a string.
func (d date) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `"\/Date(%d)\/"`, time.Time(d).UnixMilli()), nil
}

// MarshalText writes the form of XML, `2026-02-04T10:54:37.4690000Z`: .NET
// counts in steps of 100 ns and writes all seven digits.
func (d date) MarshalText() ([]byte, error) {
	return time.Time(d).AppendFormat(nil, "2006-01-02T15:04:05.0000000Z"), nil
}
