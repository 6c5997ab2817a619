package management

import (
	"encoding/json"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

func FuzzDecodeLogin(f *testing.F) {
	for _, seed := range []string{
		`{"username":"alice","password":"correct horse"}`, `{"USERNAME":"a","PassWord":"\u0000"}`, `{}`, `null`, ``, `[]`,
		`{"username":"a","password":""}`, `{"username":"a","Username":"b","password":"c"}`, `{"username":{"$ne":null},"password":1}`,
		`{"username":"a","password":"\ud800"}`, "{\"username\":\"a\",\"password\":\"\xff\"}", `{"u\u017fername":"a","password":"b"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decodeLogin(body)
		whole := in.username != "" && !in.password.Empty()
		if (err == nil) != whole || (err != nil && in != loginRequest{}) {
			t.Fatalf("error %v with %q and a password: %v", err, in.username, !in.password.Empty())
		}
		if err != nil {
			if auth.CodeOf(err) != auth.Malformed {
				t.Fatalf("a body is at fault, but the error is %v", err)
			}
			return
		}
		again, _ := json.Marshal(map[string]string{"username": in.username, "password": in.password.Reveal()})
		if got, err := decodeLogin(again); err != nil || got != in {
			t.Fatalf("written and read again: %v, %v, want %v", got, err, in)
		}
	})
}
