package management

import (
	"encoding/json"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// envelope is what every answer begins with.
type envelope struct {
	Success bool `json:"success"`
	// Code is 0 where all is well and the HTTP status of a failure elsewhere,
	// also where the status itself was configured to be 200.
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// fine is the envelope of a success.
var fine = envelope{Success: true, Message: "OK"}

// loginAnswer answers login; Token is "" and ExpiresIn 0 where it failed.
type loginAnswer struct {
	envelope
	Token string `json:"token"`
	// ExpiresIn is in seconds.
	ExpiresIn int64 `json:"expiresIn"`
}

// userAnswer answers both calls on the user; User is null where they failed.
type userAnswer struct {
	envelope
	User *userObject `json:"user"`
}

// shape puts the envelope of a failure into the answer of a call.
type shape func(envelope) any

func plainShape(e envelope) any { return e }
func loginShape(e envelope) any { return loginAnswer{envelope: e} }
func userShape(e envelope) any  { return userAnswer{envelope: e} }

// write answers with one JSON object. Its type is application/json for
// everybody, text/json for those who ask for that; text/plain, which the
// original's page asks for, is answered with application/json too.
func write(w http.ResponseWriter, r *http.Request, status int, body any) {
	contentType := "application/json; charset=utf-8"
	accepted, _ := dialect.ParseAccept(r.Header).Best("application/json", "text/plain", "text/json")
	if accepted == "text/json" {
		contentType = "text/json; charset=utf-8"
	}
	w.Header().Add("Vary", "Accept")
	send(w, status, contentType, body)
}

// send writes a body that no cache keeps and no browser takes for another type.
func send(w http.ResponseWriter, status int, contentType string, body any) {
	text, err := json.Marshal(body)
	if err != nil { // no type in this package fails to marshal
		status, text = http.StatusInternalServerError, []byte(`{"success":false,"code":500,"message":"Something went wrong here."}`)
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(text) // a client that left misses nothing
}
