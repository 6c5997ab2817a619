package authn_test

import (
	"strconv"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/authn"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// floodSize is how many distinct bad tokens are tried: five times as many as the
// cache holds verdicts.
const floodSize = 50_000

func TestAFloodOfBadTokensDrivesNoVerdictOut(t *testing.T) {
	w := newWorld(t, func(c *authn.Config) { c.CacheSize = floodSize / 5 })
	w.settle()
	var good []bearer.Credential
	for i := range 1000 {
		w.token = "ght_good" + strconv.Itoa(i)
		w.addSession(func(s *store.Session) { s.ID = "s" + strconv.Itoa(i) })
		good = append(good, w.bearer())
		w.pass(w.bearer())
	}
	held := w.r.Stats().Entries
	for i := range floodSize {
		_, err := w.r.Resolve(w.ctx, realm, bearer.Credential{Kind: auth.Bearer, Token: "ght_bad" + strconv.Itoa(i)})
		if auth.CodeOf(err) != auth.InvalidCredential {
			t.Fatalf("token %d: %v", i, err)
		}
	}
	before := w.r.Stats()
	for _, c := range good {
		w.pass(c)
	}
	after := w.r.Stats()
	if hits := after.Hits - before.Hits; hits*100 < uint64(len(good))*95 {
		t.Errorf("%d of %d good tokens were answered from the cache", hits, len(good))
	}
	if after.Entries > held {
		t.Errorf("%d verdicts are held, %d before", after.Entries, held)
	}
}
