package timedlogin

import (
	"encoding/xml"
	"net/http"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// The error numbers of the contract.
const (
	codeTokenUnknown = 1000
	codeTokenExpired = 1001
	codeParameter    = 1002
	codeLogin        = 1003
	codeKey          = 1004
	codeAddress      = 1006
	codeRate         = 1008
	codePermission   = 1101
)

// problem is one negative answer.
type problem struct {
	status int
	// code is the error number, 0 for the answers that have none.
	code    int
	message string
	// fields are the parameters that are missing or wrong.
	fields []string
	// retryAfter is set where trying again later helps.
	retryAfter time.Duration
}

// The answers without a number.
var (
	notFound    = problem{status: http.StatusNotFound, message: "There is nothing here."}
	wrongMethod = problem{status: http.StatusMethodNotAllowed, message: "This method is not allowed here."}
	tooSlow     = problem{status: http.StatusRequestTimeout, message: "The body took too long to arrive."}
	tooLarge    = problem{status: http.StatusRequestEntityTooLarge, message: "The body is too large."}
	mediaType   = problem{status: http.StatusUnsupportedMediaType, message: "The body must be JSON or XML in UTF-8, and its Content-Type must say which."}
	tooEarly    = problem{status: http.StatusTooEarly, message: "Send this again after the TLS handshake."}
	internal    = problem{status: http.StatusInternalServerError, message: "The server could not answer."}
)

// The answers with a number that are the same whatever the cause.
var (
	badAddress    = problem{status: http.StatusUnauthorized, code: codeAddress, message: "This address is not allowed."}
	badCredential = problem{status: http.StatusUnauthorized, code: codeTokenUnknown, message: "This credential is not known."}
	noPermission  = problem{status: http.StatusForbidden, code: codePermission, message: "Permission is missing."}
)

// requestResult is the error body of answers with a number.
type requestResult struct {
	XMLName       xml.Name `json:"-" xml:"RequestResult"`
	Message       string
	Code          int
	ModelStateErr fieldList
}

// fieldList is null in JSON and an empty element in XML where it lists
// nothing: the element is part of the contract's shape.
type fieldList []string

// MarshalXML writes each name as a string element.
func (l fieldList) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(struct {
		Names []string `xml:"string"`
	}{l}, start)
}

// plainError is the error body of answers without a number.
type plainError struct {
	XMLName xml.Name `json:"-" xml:"Error"`
	Message string
}

// write answers with p in the media type out.
func (p problem) write(w http.ResponseWriter, out string) {
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", dialect.RetryAfter(p.retryAfter))
	}
	if p.code == 0 {
		write(w, p.status, out, plainError{Message: p.message})
		return
	}
	write(w, p.status, out, requestResult{Message: p.message, Code: p.code, ModelStateErr: p.fields})
}
