package authn_test

import (
	"crypto/sha256"
	"strconv"
	"testing"
	"time"

	gocache "github.com/patrickmn/go-cache"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// benchPopulation is how many verdicts there are in both benchmarks.
const benchPopulation = 10_000

func benchTokens() []string {
	tokens := make([]string, benchPopulation)
	for i := range tokens {
		tokens[i] = token.Opaque(token.Random())
	}
	return tokens
}

// BenchmarkCachedVerdict is a whole Resolve of a token that is cached.
func BenchmarkCachedVerdict(b *testing.B) {
	w := newWorld(b, nil)
	w.settle()
	tokens := benchTokens()
	credentials := make([]bearer.Credential, len(tokens))
	for i, text := range tokens {
		w.token = text
		w.addSession(func(s *store.Session) { s.ID = strconv.Itoa(i) })
		credentials[i] = w.bearer()
		w.pass(credentials[i])
	}
	misses := w.r.Stats().Misses
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if _, err := w.r.Resolve(w.ctx, realm, credentials[i%benchPopulation]); err != nil {
			b.Fatal(err)
		}
	}
	if n := w.r.Stats().Misses - misses; n > 0 {
		b.Fatalf("%d of %d were not cached", n, b.N)
	}
}

// BenchmarkDigestAndGet is what a cached verdict is held against: the SHA-256
// of the token and one Get of go-cache, with as many entries.
func BenchmarkDigestAndGet(b *testing.B) {
	c := gocache.New(time.Hour, 0)
	tokens := benchTokens()
	for _, text := range tokens {
		d := sha256.Sum256([]byte(text))
		c.SetDefault(string(d[:]), &auth.Principal{})
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		d := sha256.Sum256([]byte(tokens[i%benchPopulation]))
		if _, ok := c.Get(string(d[:])); !ok {
			b.Fatal("absent")
		}
	}
}

func TestACachedVerdictTakesAtMostTwoAllocations(t *testing.T) {
	w := newWorld(t, nil)
	w.settle()
	c := w.bearer()
	if n := testing.AllocsPerRun(1000, func() { w.pass(c) }); n > 2 {
		t.Errorf("%v allocations", n)
	}
}
