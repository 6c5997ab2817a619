package password

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

const (
	salt16 = "AAAAAAAAAAAAAAAAAAAAAA"
	key32  = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	tail   = "$" + salt16 + "$" + key32
	bcHash = "If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"
)

func TestKnown(t *testing.T) {
	h := New(Options{})
	for _, phc := range []string{
		"$argon2id$v=19$m=19456,t=2,p=1" + tail,
		"$argon2id$v=19$m=65536,t=3,p=4" + tail,
		"$argon2id$v=19$m=262144,t=4,p=16" + tail,
		"$argon2i$v=19$m=4096,t=3,p=1" + tail,
		"$2a$04$" + bcHash,
		"$2b$12$" + bcHash,
		"$2y$14$" + bcHash,
		"$2a$06$If6bvum7DFjUnE9p2uDeD/0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", // stray bits in the salt
		"$scrypt$ln=17,r=8,p=2" + tail,
		"$scrypt$ln=18,r=8,p=1" + tail,
		"$scrypt$ln=14,r=8,p=5" + tail,
		"$pbkdf2$131000" + tail,
		"$pbkdf2-sha1$i=1000" + tail,
		"$pbkdf2-sha256$i=600000,l=32" + tail,
		"$pbkdf2-sha512$2000000" + tail,
		"$pbkdf2-sha256$29000$N.Y..g$" + key32,
	} {
		t.Run(phc+" is known", func(t *testing.T) {
			if err := h.Known(auth.NewSecret(phc)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUnknown(t *testing.T) {
	h := New(Options{})
	for _, tt := range []struct {
		name, phc string
		want      auth.Reason
	}{
		{"nothing", "", auth.ReasonForm},
		{"a password in place of a hash", "hunter2", auth.ReasonForm},
		{"a password with a dollar", "$hunter2", auth.ReasonForm},
		{"a scheme nobody knows", "$md5$" + salt16 + "$" + key32, auth.ReasonUnsupported},
		{"argon2d", "$argon2d$v=19$m=4096,t=3,p=1" + tail, auth.ReasonUnsupported},
		{"a scheme in upper case", "$ARGON2ID$v=19$m=4096,t=3,p=1" + tail, auth.ReasonUnsupported},
		{"bcrypt of a faulty library", "$2x$10$" + bcHash, auth.ReasonUnsupported},
		{"bcrypt without a minor", "$2$10$" + bcHash, auth.ReasonUnsupported},
		{"argon2 of an old version", "$argon2id$v=16$m=4096,t=3,p=1" + tail, auth.ReasonUnsupported},
		{"argon2 without a version", "$argon2id$m=4096,t=3,p=1" + tail, auth.ReasonUnsupported},
		{"argon2 with parameters in another order", "$argon2id$v=19$t=3,m=4096,p=1" + tail, auth.ReasonForm},
		{"argon2 with a parameter twice", "$argon2id$v=19$m=4096,m=4096,t=3,p=1" + tail, auth.ReasonForm},
		{"argon2 with a key id", "$argon2id$v=19$m=4096,t=3,p=1,keyid=AAAA" + tail, auth.ReasonForm},
		{"argon2 without passes", "$argon2id$v=19$m=4096,t=0,p=1" + tail, auth.ReasonForm},
		{"argon2 without lanes", "$argon2id$v=19$m=4096,t=1,p=0" + tail, auth.ReasonForm},
		{"argon2 with too little memory for its lanes", "$argon2id$v=19$m=31,t=1,p=4" + tail, auth.ReasonForm},
		{"argon2 with 257 lanes", "$argon2id$v=19$m=4096,t=1,p=257" + tail, auth.ReasonTooLarge},
		{"argon2 with too much memory", "$argon2id$v=19$m=262145,t=1,p=1" + tail, auth.ReasonTooLarge},
		{"argon2 with the most memory there is", "$argon2id$v=19$m=4294967295,t=1,p=1" + tail, auth.ReasonTooLarge},
		{"argon2 with too many passes", "$argon2id$v=19$m=262144,t=5,p=1" + tail, auth.ReasonTooLarge},
		{"argon2 with the most passes there are", "$argon2id$v=19$m=8,t=4294967295,p=1" + tail, auth.ReasonTooLarge},
		{"a number too large to be one", "$argon2id$v=19$m=4294967296,t=1,p=1" + tail, auth.ReasonForm},
		{"a number with a leading zero", "$argon2id$v=19$m=04096,t=1,p=1" + tail, auth.ReasonForm},
		{"a number with a sign", "$argon2id$v=19$m=+4096,t=1,p=1" + tail, auth.ReasonForm},
		{"a key that is missing", "$argon2id$v=19$m=4096,t=3,p=1$" + salt16, auth.ReasonForm},
		{"a part too many", "$argon2id$v=19$m=4096,t=3,p=1" + tail + "$", auth.ReasonForm},
		{"a key with padding", "$argon2id$v=19$m=4096,t=3,p=1" + tail + "=", auth.ReasonForm},
		{"a key with a line end", "$argon2id$v=19$m=4096,t=3,p=1" + tail + "\n", auth.ReasonForm},
		{"a key with stray bits", "$argon2id$v=19$m=4096,t=3,p=1$" + salt16 + "$" + key32[1:] + "B", auth.ReasonForm},
		{"a key of four bytes", "$argon2id$v=19$m=4096,t=3,p=1$" + salt16 + "$AAAAAA", auth.ReasonForm},
		{"an empty salt", "$argon2id$v=19$m=4096,t=3,p=1$$" + key32, auth.ReasonForm},
		{"argon2 in passlib's alphabet", "$argon2id$v=19$m=4096,t=3,p=1$N.Y..g$" + key32, auth.ReasonForm},
		{"two alphabets at once", "$pbkdf2-sha256$29000$N.Y+.g$" + key32, auth.ReasonForm},
		{"bcrypt of cost 3", "$2b$03$" + bcHash, auth.ReasonForm},
		{"bcrypt of cost 15", "$2b$15$" + bcHash, auth.ReasonTooLarge},
		{"bcrypt of cost 99", "$2b$99$" + bcHash, auth.ReasonTooLarge},
		{"bcrypt with a cost of one digit", "$2b$9$" + bcHash, auth.ReasonForm},
		{"bcrypt that was cut", "$2b$10$" + bcHash[:52], auth.ReasonForm},
		{"bcrypt with a foreign character", "$2b$10$" + "+" + bcHash[1:], auth.ReasonForm},
		{"bcrypt with a foreign character in the key", "$2b$10$" + bcHash[:52] + "+", auth.ReasonForm},
		{"scrypt with too much memory", "$scrypt$ln=19,r=8,p=1" + tail, auth.ReasonTooLarge},
		{"scrypt with too much work", "$scrypt$ln=17,r=8,p=3" + tail, auth.ReasonTooLarge},
		{"scrypt with the largest numbers", "$scrypt$ln=4294967295,r=4294967295,p=4294967295" + tail, auth.ReasonTooLarge},
		{"scrypt with ln 63", "$scrypt$ln=63,r=8,p=1" + tail, auth.ReasonTooLarge},
		{"scrypt with N of 1", "$scrypt$ln=0,r=8,p=1" + tail, auth.ReasonForm},
		{"scrypt without r", "$scrypt$ln=14,r=0,p=1" + tail, auth.ReasonForm},
		{"scrypt without p", "$scrypt$ln=14,r=8,p=0" + tail, auth.ReasonForm},
		{"PBKDF2 without rounds", "$pbkdf2-sha256$0" + tail, auth.ReasonForm},
		{"PBKDF2 with too many rounds", "$pbkdf2-sha256$2000001" + tail, auth.ReasonTooLarge},
		{"PBKDF2 with too many blocks of rounds", "$pbkdf2$1000001" + tail, auth.ReasonTooLarge},
		{"PBKDF2 with another length than its key", "$pbkdf2-sha256$i=1000,l=31" + tail, auth.ReasonForm},
		{"PBKDF2 with a length of zero", "$pbkdf2-sha256$i=1000,l=0" + tail, auth.ReasonForm},
		{"PBKDF2 with a length beside bare rounds", "$pbkdf2-sha256$1000,l=32" + tail, auth.ReasonForm},
		{"a text past all bounds", "$pbkdf2-sha256$1000$" + strings.Repeat("A", 1<<20), auth.ReasonForm},
	} {
		t.Run(tt.name+" is refused", func(t *testing.T) {
			failure := auth.AsError(h.Known(auth.NewSecret(tt.phc)))
			if failure == nil || failure.Code != auth.Malformed || failure.Reason != tt.want || failure.Err == nil {
				t.Fatalf("Known = %v, want malformed, %s, with a cause", failure, tt.want)
			}
			if strings.Contains(failure.Error(), "hunter2") {
				t.Errorf("the error shows what was handed in: %v", failure)
			}
		})
	}
}

// FuzzParse checks that a string is either refused or kept exactly, and that
// nothing is kept that costs more than the bounds.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "$", "$$", "$$$$$", "$argon2id$v=19$m=65536,t=3,p=4" + tail, "$argon2i$v=19$m=8,t=1,p=1" + tail,
		"$2a$06$" + bcHash, "$2y$31$" + bcHash, "$scrypt$ln=14,r=8,p=1" + tail, "$scrypt$ln=14,r=8,p=1$N.Y..g$" + key32,
		"$pbkdf2-sha256$29000" + tail, "$pbkdf2-sha512$i=10,l=32" + tail, "$pbkdf2$1$+/++$" + key32, "$pbkdf2-sha1$i=1" + tail,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, phc string) {
		h, err := parse(phc, defaultBounds)
		if err != nil {
			if h != nil || auth.CodeOf(err) != auth.Malformed {
				t.Fatalf("parse(%q) = %v, %v: neither refused nor kept", phc, h, err)
			}
			return
		}
		if h.String() != phc {
			t.Fatalf("%q is written again as %q", phc, h)
		}
		if mib := memoryOf(h) >> 20; mib > 300 {
			t.Fatalf("%q takes %d MiB", phc, mib)
		}
	})
}

// memoryOf returns the bytes that a hash takes, from its RFC.
func memoryOf(h hash) uint64 {
	switch h := h.(type) {
	case argon2Hash:
		return uint64(h.cost.memory) << 10
	case scryptHash:
		return 128*uint64(h.r)<<h.ln + 128*uint64(h.r)*uint64(h.p)
	}
	return 0
}
