package openapi_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/dialect/dialecttest"
)

// exchange is an exchange of a transcript as it was on the wire.
type exchange struct {
	request  *http.Request
	sent     []byte
	response *http.Response
	answered []byte
	// refused says that the request was one to the API behind.
	refused bool
}

func read(t testing.TB, e dialecttest.Exchange) exchange {
	t.Helper()
	x := exchange{refused: strings.Contains("\n"+e.Outcome, "\nrefuse")}
	e.Do(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		x.sent, _ = io.ReadAll(r.Body)
		x.request = r
	}))
	var err error
	text := strings.TrimSuffix(e.Response, "\n")
	if x.response, err = http.ReadResponse(bufio.NewReader(strings.NewReader(text+"\n")), x.request); err != nil {
		t.Fatalf("the response does not parse: %v", err)
	}
	_, body, _ := strings.Cut(e.Response, "\n\n")
	x.answered = []byte(strings.TrimSuffix(body, "\n"))
	return x
}

// good reports whether a request did what it asked for: then it must be as
// described. Some dialects answer failures with a status of success.
func (x exchange) good() bool {
	if x.refused || x.response.StatusCode >= http.StatusBadRequest || strings.Contains(x.response.Header.Get("Location"), "error=") {
		return false
	}
	var said struct {
		Success *bool           `json:"success"`
		Error   json.RawMessage `json:"error"`
		Status  struct {
			Code string `json:"code"`
		} `json:"status"`
	}
	if json.Unmarshal(x.answered, &said) != nil {
		return true // an array, XML or nothing
	}
	return (said.Success == nil || *said.Success) && said.Error == nil && (said.Status.Code == "" || said.Status.Code == "OK")
}

// again returns the request with a body that can be read.
func (x exchange) again(body []byte) *http.Request {
	r := x.request.Clone(x.request.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return r
}
