package sqlstore

import (
	"slices"
	"sync"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// subscribers are told of the changes of this process.
type subscribers struct {
	mu   sync.Mutex
	list []*func([]store.Change)

	telling sync.Mutex
}

// publish hands changes to all, one caller at a time.
func (s *subscribers) publish(changes []store.Change) {
	s.mu.Lock()
	list := s.list
	s.mu.Unlock()
	s.telling.Lock()
	defer s.telling.Unlock()
	for _, fn := range list {
		(*fn)(slices.Clone(changes))
	}
}

// add adds fn. The list is never changed in place: publish reads it without
// holding the lock.
func (s *subscribers) add(fn func([]store.Change)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(slices.Clone(s.list), &fn)
	return func() { s.remove(&fn) }
}

func (s *subscribers) remove(fn *func([]store.Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = slices.DeleteFunc(slices.Clone(s.list), func(l *func([]store.Change)) bool { return l == fn })
}
