package authn

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// stampSlots is how many counters all sessions, accounts, keys and tenants
// share: 256 KiB, which stays in a core's own cache. Two of them that share a
// counter cost each other a lookup when one changes, never a wrong verdict;
// 1,000 changes void about 4 % of the verdicts that they have nothing to do
// with.
const stampSlots = 1 << 16

// stamps counts changes. A tag is a thing that a verdict rests on; its stamp
// moves when that thing changes.
type stamps struct {
	seed  maphash.Seed // random, so that nobody can aim at a counter
	slots []atomic.Uint32
	// gen counts all changes; it moves before any slot does.
	gen atomic.Uint64
}

// stamp is the state of one tag at one time.
type stamp struct{ slot, value uint32 }

// tag names a thing in the words of a [store.Change].
type tag struct {
	kind  store.ChangeKind
	realm string
	id    string
}

func newStamps() *stamps {
	return &stamps{seed: maphash.MakeSeed(), slots: make([]atomic.Uint32, stampSlots)}
}

// everything is the slot that [store.AllChanged] moves.
const everything = 0

func (s *stamps) slot(t tag) uint32 {
	if t.kind == store.AllChanged {
		return everything
	}
	return 1 + uint32(maphash.Comparable(s.seed, t)%(stampSlots-1))
}

func (s *stamps) read(t tag) stamp {
	i := s.slot(t)
	return stamp{i, s.slots[i].Load()}
}

func (s *stamps) current(m stamp) bool { return s.slots[m.slot].Load() == m.value }

// move voids every stamp of t that was read before.
func (s *stamps) move(t tag) {
	s.gen.Add(1)
	s.slots[s.slot(t)].Add(1)
}
