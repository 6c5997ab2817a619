package caddymodule

import (
	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

func signingKeyCommand() command {
	return group("signing-key", "Manages the keys that sign JWTs", `
Manages the keys that sign JWTs issued here and assertions to upstreams. They
are those of all realms, never shown, and rotated on a schedule too (the global
option signing_key_lifetime).`,
		signingKeyRotate(), signingKeyList())
}

// signingKeyJSON is a signing key in JSON.
type signingKeyJSON struct {
	ID        string      `json:"id"`
	Use       string      `json:"use"`
	Algorithm string      `json:"algorithm"`
	State     string      `json:"state"`
	Created   instantJSON `json:"created"`
	Retired   instantJSON `json:"retired"`
	Expires   instantJSON `json:"expires"`
}

// signingKeys is how signing keys are printed.
func (o *operation) signingKeys() listing[store.SigningKey] {
	state := func(k store.SigningKey) string { return string(o.admin.SigningKeyState(k)) }
	return listing[store.SigningKey]{
		head: []string{"ID", "USE", "ALGORITHM", "STATE", "CREATED", "RETIRED", "EXPIRES"},
		doc: func(k store.SigningKey) (any, error) {
			return signingKeyJSON{
				k.ID, k.Use, k.Algorithm, state(k), instantJSON(k.Created), instantJSON(k.Retired), instantJSON(k.Expires),
			}, nil
		},
		cells: func(k store.SigningKey) ([]string, error) {
			return []string{
				cell(k.ID), cell(k.Use), cell(k.Algorithm), state(k), timeCell(k.Created), timeCell(k.Retired), timeCell(k.Expires),
			}, nil
		},
	}
}

func signingKeyList() verb {
	return verb{
		use: "list", short: "Lists the signing keys, oldest first, never their secrets",
		run: func(o *operation) error {
			return list(o, o.signingKeys(), func(yield func(store.SigningKey) error) error {
				return o.admin.SigningKeys(o, yield)
			})
		},
	}
}

func signingKeyRotate() verb {
	var uses []string
	return verb{
		use: "rotate", short: "Has new keys sign from now on, and lists them",
		long: `
Makes a new key in the place of each that signs. The new one signs at once. The
old one verifies until the last token that it signed has expired, and is deleted
then.`,
		flags: func(f *pflag.FlagSet) {
			f.StringArrayVar(&uses, "use", nil, "Only the key of this use, as list shows it; repeatable (default: all)")
		},
		run: func(o *operation) error {
			return list(o, o.signingKeys(), func(yield func(store.SigningKey) error) error {
				return o.admin.RotateSigningKeys(o, uses, yield)
			})
		},
	}
}
