package admin_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// signingKeys returns the keys as "use state", oldest first.
func (d *desk) signingKeys() (list []string) {
	d.Helper()
	d.must(d.SigningKeys(d.Context(), func(k store.SigningKey) error {
		list = append(list, k.Use+" "+string(d.SigningKeyState(k)))
		return nil
	}))
	return list
}

func (d *desk) rotate(uses ...string) (list []string, err error) {
	err = d.RotateSigningKeys(d.Context(), uses, func(k store.SigningKey) error {
		list = append(list, k.Use+" "+string(d.SigningKeyState(k)))
		return nil
	})
	return list, err
}

// gateway signs one token of each use, as a running gateway would.
func (d *desk) gateway() *token.Signers {
	d.Helper()
	s := token.NewSigners(d.Store.SigningKeys, d.withRing(), d.Now)
	_, err := s.Sign(d.Context(), "default", token.Claims{ID: "1", Subject: "2", Issued: d.now, Expires: d.now.Add(time.Hour)})
	d.must(err)
	for _, algorithm := range []string{"EdDSA", "ES256"} {
		d.must(s.Prepare(d.Context(), token.Access{Algorithm: algorithm}))
	}
	d.must(s.PrepareAssertions(d.Context()))
	return s
}

func TestSigningKeysAreRotatedByUse(t *testing.T) {
	const before = "token signs|access-token EdDSA signs|access-token ES256 signs|assertion signs"
	for name, c := range map[string]struct {
		uses []string
		made string
	}{
		"all of them":               {nil, before},
		"one use":                   {[]string{"assertion"}, "assertion signs"},
		"one of several algorithms": {[]string{"access-token ES256"}, "access-token ES256 signs"},
		"all algorithms":            {[]string{"access-token"}, "access-token EdDSA signs|access-token ES256 signs"},
		"one that is named twice":   {[]string{"token", "token"}, "token signs"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.gateway()
			sorted := func(list []string) string { return strings.Join(slices.Sorted(slices.Values(list)), "|") }
			made, err := d.rotate(c.uses...)
			d.must(err)
			if sorted(made) != sorted(strings.Split(c.made, "|")) {
				t.Errorf("made are %q", made)
			}
			var want []string
			for _, key := range strings.Split(before, "|") {
				want = append(want, key)
				if strings.Contains("|"+c.made+"|", "|"+key+"|") {
					want = append(want, strings.Replace(key, " signs", " verifies", 1))
				}
			}
			if got := d.signingKeys(); sorted(got) != sorted(want) {
				t.Errorf("there are %q, want %q", got, want)
			}
		})
	}
}

func TestARotationThatCannotBeChangesNothing(t *testing.T) {
	d := newDesk(t)
	d.withRing()
	_, err := d.rotate()
	d.fails(err, auth.NotFound, "no signing key yet")
	d.gateway()
	for _, use := range []string{"", "tok", "access", "access-token RS256", "licence"} {
		_, err = d.rotate("token", use)
		d.fails(err, auth.NotFound, "no key signs for the use")
	}
	d.withRing() // which is another one
	_, err = d.rotate()
	d.fails(err, auth.Conflict, "another key ring")
	if got := d.signingKeys(); len(got) != 4 {
		t.Errorf("there are %q", got)
	}
}

func TestWhatASigningKeyStillDoes(t *testing.T) {
	d := newDesk(t)
	hour := d.now.Add(time.Hour)
	for want, k := range map[admin.KeyState]store.SigningKey{
		admin.KeySigns:    {},
		admin.KeyVerifies: {Retired: d.now, Expires: hour},
		admin.KeyOver:     {Retired: d.now.Add(-time.Hour), Expires: d.now},
	} {
		if got := d.SigningKeyState(k); got != want {
			t.Errorf("%+v: %s, want %s", k, got, want)
		}
	}
}
