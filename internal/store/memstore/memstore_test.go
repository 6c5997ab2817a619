package memstore_test

import (
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/memstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, storetest.Backend{
		Open:     func(_ *testing.T, now func() time.Time, _ string) store.Store { return memstore.New(now) },
		Volatile: true,
	})
}
