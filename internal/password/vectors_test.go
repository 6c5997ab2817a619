package password

import (
	"encoding/hex"
	"strings"
	"testing"
)

// TestVectors verifies what others computed: hashes by standards' test vectors
// and by other implementations.
func TestVectors(t *testing.T) {
	for _, tt := range []struct{ name, phc, password string }{
		// The reference implementation's own tests, version 0x13. The vectors of
		// RFC 9106 section 5 have a secret and associated data, which no PHC
		// string can carry.
		{"argon2id, 256 KiB", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
		{"argon2id, 256 KiB, two lanes", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc", "password"},
		{"argon2id, 64 MiB", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"},
		{"argon2i, 256 KiB", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8", "password"},
		// The test vectors that came with jBCrypt.
		{"bcrypt 2a, one letter", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe", "a"},
		{"bcrypt 2a, three letters", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"},
		{"bcrypt 2b is 2a", "$2b$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"},
		{"bcrypt 2y is 2a", "$2y$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", "abc"},
		// RFC 7914 section 12; the first has an empty password, the last needs 1 GiB.
		{"scrypt, NaCl", phcOf("scrypt$ln=10,r=8,p=16", "NaCl", "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"), "password"},
		{"scrypt, SodiumChloride", phcOf("scrypt$ln=14,r=8,p=1", "SodiumChloride", "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"), "pleaseletmein"},
		// RFC 6070 section 2.
		{"PBKDF2-SHA-1, 1 round", phcOf("pbkdf2$1", "salt", "0c60c80f961f0e71f3a9b524af6012062fe037a6"), "password"},
		{"PBKDF2-SHA-1, 2 rounds", phcOf("pbkdf2-sha1$i=2", "salt", "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"), "password"},
		{"PBKDF2-SHA-1, 4096 rounds", phcOf("pbkdf2$4096", "salt", "4b007901b765489abead49d926f721d065a429c1"), "password"},
		{"PBKDF2-SHA-1, two blocks", phcOf("pbkdf2-sha1$i=4096,l=25", "saltSALTsaltSALTsaltSALTsaltSALTsalt", "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038"), "passwordPASSWORDpassword"},
		{"PBKDF2-SHA-1, NUL inside", phcOf("pbkdf2$4096", "sa\x00lt", "56fa6aa75548099dcc37d7f03425e0c3"), "pass\x00word"},
		// RFC 7914 section 11.
		{"PBKDF2-SHA-256, 1 round", phcOf("pbkdf2-sha256$i=1,l=64", "salt", "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"), "passwd"},
		{"PBKDF2-SHA-256, 80000 rounds", phcOf("pbkdf2-sha256$i=80000", "NaCl", "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d"), "Password"},
		// Computed with Python's hashlib and spelled as passlib does.
		{"passlib's PBKDF2-SHA-1", "$pbkdf2$1200$AAAAAAAAAAAAAAAAAAAAAA$2DxeGGGYTGWIs1hZke/JszdTvYU", "correct horse"},
		{"passlib's PBKDF2-SHA-256", "$pbkdf2-sha256$29000$AQEBAQEBAQEBAQEBAQEBAQ$KTXdk.UioA93WI3O6y4..5ASUDte2kp6wO1.16YA/b0", "correct horse"},
		{"passlib's PBKDF2-SHA-512", "$pbkdf2-sha512$1000$AAAAAAAAAAAAAAAAAAAAAA$stTd3liDbv675qpTI3gq1EsjLkvi8ZBjBi33Ix7gCoYD8m4.N2sruGbEIQZqT3JbkT.8g64H9eQP1w2hwayxBA", "correct horse"},
		{"passlib's scrypt", "$scrypt$ln=12,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$KLlIkDxCmRzr06X94K1F9+8vrKuIYUc3RJ6ozADVXTM", "correct horse"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h, err := parse(tt.phc, defaultBounds)
			if err != nil {
				t.Fatal(err)
			}
			if !h.matches([]byte(tt.password)) {
				t.Error("the password does not match")
			}
			if h.matches([]byte(tt.password + "x")) {
				t.Error("another password matches")
			}
			if h.String() != tt.phc {
				t.Errorf("written again it is %s", h)
			}
		})
	}
}

// phcOf writes a vector whose salt and key are given as text and hex.
func phcOf(head, salt, key string) string {
	k, err := hex.DecodeString(strings.ReplaceAll(key, " ", ""))
	if err != nil {
		panic(err)
	}
	return "$" + head + "$" + encodeSaltAndKey([]byte(salt), k, false)
}
