package crmtoken

import (
	"encoding/json"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/session"
)

// answer is the body of every answer.
type answer struct {
	Status status `json:"status"`
	Data   data   `json:"data"`
}

// status says how a call ended. Message and Description are null where it ended
// well.
type status struct {
	Code        string  `json:"code"`
	Message     *string `json:"message"`
	Description *string `json:"description"`
}

// data is `{}` where there is no token.
type data struct {
	Token string `json:"token,omitempty"`
}

func writeToken(w http.ResponseWriter, i session.Issued) {
	write(w, http.StatusOK, answer{Status: status{Code: codeOK}, Data: data{i.Token.Reveal()}})
}

// write answers with a. None of its texts has a character that json.Marshal
// would escape for HTML.
func write(w http.ResponseWriter, code int, a answer) {
	body, err := json.Marshal(a)
	if err != nil { // strings always marshal
		code, body = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", "application/json;charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(body) // a client that left misses nothing
}
