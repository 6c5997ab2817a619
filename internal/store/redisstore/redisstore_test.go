package redisstore

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/storetest"
	"github.com/gatehouse-auth/gatehouse/internal/testserver"
)

// backend keeps each folder's sessions under a prefix of its own.
func backend(url string) storetest.Backend {
	return storetest.Backend{Open: func(t *testing.T, now func() time.Time, dir string) store.Store {
		sum := sha256.Sum256([]byte(dir))
		s, err := Open(t.Context(), Options{URL: auth.NewSecret(url), Prefix: hex.EncodeToString(sum[:8]), Now: now, Timeout: ample})
		if err != nil {
			t.Fatal(err)
		}
		return store.Store{Sessions: s, Changes: s, Close: s.Close}
	}}
}

// contract is the part of the contract that sessions and their feed have.
func contract(t *testing.T, b storetest.Backend) {
	t.Run("sessions", func(t *testing.T) { storetest.Sessions(t, b) })
	t.Run("session queries", func(t *testing.T) { storetest.SessionQueries(t, b) })
	t.Run("sealed sessions", func(t *testing.T) { storetest.SealedSessions(t, b) })
	t.Run("changes", func(t *testing.T) { storetest.Changes(t, b) })
	t.Run("shared", func(t *testing.T) { storetest.SharedSessions(t, b) })
}

func TestContract(t *testing.T) { contract(t, backend(testserver.Redis(t).URL())) }

func TestContractOnACluster(t *testing.T) {
	contract(t, backend(testserver.ClusterURL(testserver.RedisCluster(t))))
}
