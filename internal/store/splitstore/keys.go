package splitstore

import (
	"slices"
	"strconv"
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// changedKeys collects which keys changed.
type changedKeys struct {
	mu   sync.Mutex
	list []store.Change
}

func (k *changedKeys) told(changes []store.Change) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range changes {
		if c.Kind == store.KeyChanged {
			k.list = append(k.list, c)
		}
	}
}

// of returns the keys of a realm, each once.
func (k *changedKeys) of(realm string) []int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	var ids []int64
	for _, c := range k.list {
		id, err := strconv.ParseInt(c.ID, 10, 64)
		if err == nil && c.Realm == realm && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
