package redisstore

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

func TestInspectTellsWhatLosesSessions(t *testing.T) {
	sound := testserver.Redis(t, "appendfsync always")
	r, err := Inspect(t.Context(), Options{URL: auth.NewSecret(sound.URL())})
	if err != nil || len(r.Places) != 1 || r.Places[0] != sound.Address || len(r.Problems) > 0 || len(r.Notices) != 1 {
		t.Errorf("a sound server: %+v, %v", r, err)
	}
	weak := testserver.Redis(t, "appendonly no", "maxmemory-policy allkeys-lru", "requirepass letmein")
	r, err = Inspect(t.Context(), Options{URL: auth.NewSecret(weak.URL())})
	all := strings.Join(append(r.Problems, r.Notices...), "\n")
	if err != nil || len(r.Problems) != 2 || !strings.Contains(all, "maxmemory-policy allkeys-lru") || !strings.Contains(all, "appendonly no") {
		t.Errorf("a weak one: %+v, %v", r, err)
	}
	if strings.Contains(all+strings.Join(r.Places, ""), "letmein") {
		t.Error("the password is told")
	}
	weak.Stop()
	if _, err := Inspect(t.Context(), Options{URL: auth.NewSecret(weak.URL())}); err == nil || strings.Contains(err.Error(), "letmein") {
		t.Errorf("one that is stopped: %v", err)
	}
}
