package caddymodule

import (
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func TestSecretsMadeHereAreHiddenUnderAnyName(t *testing.T) {
	key, _, _ := token.NewKey()
	opaque, secret := token.Opaque(token.Random()), key.Reveal()
	r := &redactor{}
	for _, c := range [][2]string{
		{"/x?key=" + opaque, "/x?key=" + auth.Redacted},
		{"/x/" + secret + "/y", "/x/" + auth.Redacted + "/y"},
		{"no row for " + opaque + ", or " + secret, "no row for " + auth.Redacted + ", or " + auth.Redacted},
		{"the key " + secret[:8] + " was used", "the key " + secret[:8] + " was used"},
		{"/api_docs/ght_x", "/api_docs/ght_x"},
	} {
		if got := r.scrub(c[0]); got != c[1] {
			t.Errorf("%s became %s", c[0], got)
		}
	}
}
