package password

import (
	"crypto/pbkdf2"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// cheap keeps the tests quick; the cost is not what they are about.
var cheap = Options{MemoryKiB: 64, Time: 1, Parallel: 4}

func mustMake(t *testing.T, h *Hasher, pw string) auth.Secret {
	t.Helper()
	phc, err := h.Make(t.Context(), auth.NewSecret(pw))
	if err != nil {
		t.Fatalf("Make: %v", err)
	}
	return phc
}

func verify(t *testing.T, h *Hasher, phc auth.Secret, pw string) (ok, outdated bool) {
	t.Helper()
	ok, outdated, err := h.Verify(t.Context(), phc, auth.NewSecret(pw))
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return ok, outdated
}

func TestDefaults(t *testing.T) {
	h := New(Options{})
	phc := mustMake(t, h, "correct horse").Reveal()
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the default hash starts %.40s", phc)
	}
	if ok, outdated := verify(t, h, auth.NewSecret(phc), "correct horse"); !ok || outdated {
		t.Errorf("Verify = %v, outdated %v, want a match of today", ok, outdated)
	}
	if ok, _ := verify(t, h, auth.NewSecret(phc), "correct horsf"); ok {
		t.Error("a wrong password matches")
	}
}

func TestVerbatim(t *testing.T) {
	h := New(cheap)
	long := strings.Repeat("0123456789abcdef", MaxLength/16)
	for _, tt := range []struct{ name, password, other string }{
		{"a space at the end counts", "secret ", "secret"},
		{"a space in front counts", " secret", "secret"},
		{"case counts", "Secret", "secret"},
		{"a NUL counts", "secret\x00a", "secret\x00b"},
		{"a NUL at the end counts", "secret\x00", "secret"},
		{"composed and decomposed letters differ", "caf\u00e9", "cafe\u0301"},
		{"bytes that are no UTF-8 count", "secret\xff", "secret\xfe"},
		{"the byte after 64 counts", long[:64] + "a", long[:64] + "b"},
		{"the byte after 72 counts", long[:72] + "a", long[:72] + "b"},
		{"the last of 1024 bytes counts", long, long[:MaxLength-1] + "x"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			phc := mustMake(t, h, tt.password)
			if ok, _ := verify(t, h, phc, tt.password); !ok {
				t.Error("the password itself does not match")
			}
			if ok, _ := verify(t, h, phc, tt.other); ok {
				t.Error("the other password matches")
			}
		})
	}
	t.Run("the stored string is no password", func(t *testing.T) {
		phc := mustMake(t, h, "secret")
		if ok, _ := verify(t, h, phc, phc.Reveal()); ok {
			t.Error("the stored string matches itself")
		}
	})
	t.Run("what is hashed in place of an impossible password matches nothing", func(t *testing.T) {
		phc := mustMake(t, h, "stand-in")
		for _, pw := range []string{"", long + "x"} {
			if ok, _ := verify(t, h, phc, pw); ok {
				t.Errorf("a password of %d bytes matches", len(pw))
			}
		}
	})
	t.Run("two hashes of one password differ", func(t *testing.T) {
		if mustMake(t, h, "secret").Equal(mustMake(t, h, "secret")) {
			t.Error("the salt is the same")
		}
	})
}

func TestMakeRefuses(t *testing.T) {
	h := New(cheap)
	for _, tt := range []struct {
		name, password string
		want           auth.Reason
	}{
		{"an empty password", "", auth.ReasonForm},
		{"a password of 1025 bytes", strings.Repeat("x", MaxLength+1), auth.ReasonTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := h.Make(t.Context(), auth.NewSecret(tt.password))
			if failure := auth.AsError(err); failure == nil || failure.Code != auth.Malformed || failure.Reason != tt.want {
				t.Errorf("Make = %v, want malformed, %s", err, tt.want)
			}
		})
	}
}

func TestConfused(t *testing.T) {
	h := New(cheap)
	bcryptOf := func(pw string) auth.Secret {
		phc, err := bcrypt.GenerateFromPassword([]byte(pw), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return auth.NewSecret(string(phc))
	}
	pbkdf2Of := func(scheme, pw string) auth.Secret {
		made := pbkdf2Hash{scheme: scheme, costs: "1", rounds: 1, salt: []byte("salt")}
		made.key = pbkdf2Derive(t, made, pw)
		return auth.NewSecret(made.String())
	}
	seventyTwo := strings.Repeat("x", 72)
	for _, tt := range []struct {
		name            string
		phc             auth.Secret
		password, other string
	}{
		{"bcrypt sees 72 bytes, so a longer password is wrong", bcryptOf(seventyTwo), seventyTwo, seventyTwo + "x"},
		{"bcrypt repeats a password after a NUL, so one with a NUL is wrong", bcryptOf("a"), "a", "a\x00a"},
		{"bcrypt ends a password with a NUL, so one with a NUL is wrong", bcryptOf("ab"), "ab", "ab\x00"},
		{"PBKDF2 fills a password up with NULs, so one that ends so is wrong", pbkdf2Of("pbkdf2-sha256", "a"), "a", "a\x00"},
		{"an empty password is wrong", pbkdf2Of("pbkdf2", "a"), "a", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if ok, outdated := verify(t, h, tt.phc, tt.password); !ok || !outdated {
				t.Errorf("Verify = %v, outdated %v, want an outdated match", ok, outdated)
			}
			if ok, outdated := verify(t, h, tt.phc, tt.other); ok || outdated {
				t.Errorf("Verify = %v, outdated %v, want neither", ok, outdated)
			}
		})
	}
	t.Run("an empty password matches not even its own hash", func(t *testing.T) {
		for _, phc := range []auth.Secret{bcryptOf(""), pbkdf2Of("pbkdf2-sha256", "")} {
			if ok, _ := verify(t, h, phc, ""); ok {
				t.Error("an empty password matches")
			}
		}
	})
}

func pbkdf2Derive(t *testing.T, h pbkdf2Hash, pw string) []byte {
	t.Helper()
	key, err := pbkdf2.Key(digests[h.scheme], pw, h.salt, int(h.rounds), 32)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// work records what a Hasher had derived.
type work struct{ done []string }

// watch notes each derivation as what it costs: all of the stored string but
// its salt and key, and their lengths.
func watch(h *Hasher) *work {
	w := &work{}
	check := h.check
	h.check = func(stored hash, password []byte) bool {
		w.done = append(w.done, costOf(stored))
		return check(stored, password)
	}
	return w
}

func costOf(stored hash) string {
	switch s := stored.(type) {
	case argon2Hash:
		return fmt.Sprintf("%s %v %d %d", s.scheme, s.cost, len(s.salt), len(s.key))
	case bcryptHash:
		return string(s[:6])
	default:
		return fmt.Sprintf("%T", stored)
	}
}

func TestSameWork(t *testing.T) {
	h := New(Options{MemoryKiB: 128, Time: 3, Threads: 2})
	stored := mustMake(t, h, "secret")
	w := watch(h)
	for _, tt := range []struct {
		name string
		ask  func() error
	}{
		{"the right password", func() error { _, _, err := h.Verify(t.Context(), stored, auth.NewSecret("secret")); return err }},
		{"a wrong password", func() error { _, _, err := h.Verify(t.Context(), stored, auth.NewSecret("other")); return err }},
		{"an empty password", func() error { _, _, err := h.Verify(t.Context(), stored, auth.Secret{}); return err }},
		{"a password that is too long", func() error {
			_, _, err := h.Verify(t.Context(), stored, auth.NewSecret(strings.Repeat("x", MaxLength+1)))
			return err
		}},
		{"an account without a password", func() error {
			ok, _, err := h.Verify(t.Context(), auth.Secret{}, auth.NewSecret("secret"))
			return errors.Join(err, unless(!ok, "it matched"))
		}},
		{"a decoy", func() error { return h.Decoy(t.Context(), auth.NewSecret("secret")) }},
		{"a decoy with an empty password", func() error { return h.Decoy(t.Context(), auth.Secret{}) }},
		{"a decoy with a password that is too long", func() error {
			return h.Decoy(t.Context(), auth.NewSecret(strings.Repeat("x", MaxLength+1)))
		}},
		{"a stored string that cannot be read", func() error {
			_, _, err := h.Verify(t.Context(), auth.NewSecret("$md5$x$y"), auth.NewSecret("secret"))
			return unless(auth.CodeOf(err) == auth.Internal, "it is not a fault of ours")
		}},
	} {
		t.Run(tt.name+" costs one hash of the configured cost", func(t *testing.T) {
			w.done = nil
			if err := tt.ask(); err != nil {
				t.Fatal(err)
			}
			if got, want := fmt.Sprint(w.done), "[argon2id {128 3 2} 16 32]"; got != want {
				t.Errorf("work = %v, want %v", got, want)
			}
		})
	}
	t.Run("a password that bcrypt confuses costs what a wrong one does", func(t *testing.T) {
		phc := auth.NewSecret("$2b$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i")
		for _, pw := range []string{"wrong", "abc\x00", strings.Repeat("x", 73)} {
			w.done = nil
			verify(t, h, phc, pw)
			if got := fmt.Sprint(w.done); got != "[$2b$06]" {
				t.Errorf("work = %v, want one bcrypt of cost 6", got)
			}
		}
	})
}

func unless(ok bool, text string) error {
	if ok {
		return nil
	}
	return errors.New(text)
}

func TestOutdated(t *testing.T) {
	h := New(Options{MemoryKiB: 128, Time: 2})
	for _, tt := range []struct {
		name, phc string
		want      bool
	}{
		{"the configured cost is current", "$argon2id$v=19$m=128,t=2,p=1" + tail, false},
		{"more memory is current", "$argon2id$v=19$m=256,t=2,p=1" + tail, false},
		{"more memory in fewer passes is current", "$argon2id$v=19$m=256,t=1,p=1" + tail, false},
		{"more lanes are current", "$argon2id$v=19$m=128,t=2,p=4" + tail, false},
		{"less memory is outdated", "$argon2id$v=19$m=127,t=3,p=1" + tail, true},
		{"fewer passes are outdated", "$argon2id$v=19$m=128,t=1,p=1" + tail, true},
		{"argon2i is outdated", "$argon2i$v=19$m=128,t=2,p=1" + tail, true},
		{"a short salt is outdated", "$argon2id$v=19$m=128,t=2,p=1$c29tZXNhbHQ" + tail[23:], true},
		{"a short key is outdated", "$argon2id$v=19$m=128,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", true},
		{"bcrypt is outdated", "$2b$12$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i", true},
		{"what cannot be read is not", "$md5$x$y", false},
		{"nothing is not", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := h.Outdated(auth.NewSecret(tt.phc)); got != tt.want {
				t.Errorf("Outdated = %v, want %v", got, tt.want)
			}
		})
	}
	t.Run("Verify says so only of the right password", func(t *testing.T) {
		weak := mustMake(t, New(cheap), "secret")
		if ok, outdated := verify(t, h, weak, "secret"); !ok || !outdated {
			t.Errorf("Verify = %v, outdated %v, want both", ok, outdated)
		}
		if ok, outdated := verify(t, h, weak, "wrong"); ok || outdated {
			t.Errorf("Verify = %v, outdated %v, want neither", ok, outdated)
		}
	})
}

func TestConfiguredPastTheBounds(t *testing.T) {
	h := New(Options{MemoryKiB: 64, Time: 1 << 15, Threads: 8})
	h.bounds = bounds{}.admitting(h.cost)
	phc := argon2Hash{scheme: argon2id, cost: h.cost, salt: random(saltLength), key: random(keyLength)}
	if err := h.Known(auth.NewSecret(phc.String())); err != nil {
		t.Errorf("a hash of the configured cost is refused: %v", err)
	}
	t.Run("memory too small for the lanes is raised", func(t *testing.T) {
		if got := New(Options{MemoryKiB: 8, Threads: 4}).cost.memory; got != 32 {
			t.Errorf("memory = %d KiB, want 32", got)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	h := New(Options{})
	phc, err := h.Make(b.Context(), auth.NewSecret("secret"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := h.Verify(b.Context(), phc, auth.NewSecret("secret")); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDearest is the most that an imported hash may cost in each scheme.
func BenchmarkDearest(b *testing.B) {
	for _, phc := range []string{
		"$argon2id$v=19$m=262144,t=4,p=1" + tail,
		"$argon2id$v=19$m=8,t=131072,p=1" + tail,
		"$2b$14$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i",
		"$scrypt$ln=17,r=8,p=2" + tail,
		"$pbkdf2-sha256$2000000" + tail,
		"$pbkdf2-sha512$2000000" + tail,
	} {
		stored, err := parse(phc, defaultBounds)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(phc[1:24], func(b *testing.B) {
			for b.Loop() {
				stored.matches([]byte("secret"))
			}
		})
	}
}
