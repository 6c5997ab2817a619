package sqlstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// maxInserts bounds a transaction of logins: small enough that its
	// statements are sent at once, so that a node that is stopped leaves none
	// of them open.
	maxInserts = 128
	// maxInserting is how many such transactions are under way, on connections
	// that other writes do not take. While some sync, the next one fills.
	maxInserting = 2
)

// inserter adds the sessions of a burst of logins together: one transaction and
// one round trip for all that wait. A lone one waits for nobody. A row that
// something is in the way of leaves the others alone and is tried again by itself.
type inserter struct {
	server *server

	mu      sync.Mutex
	waiting []*insertion
	active  int
	running sync.WaitGroup
}

// insertion is one session of one caller.
type insertion struct {
	ctx  context.Context
	row  sessionRow
	done chan error
}

// errAlone says that a row is to be tried in a transaction of its own: it was
// not added.
var errAlone = errors.New("the row was not added with others")

func (s *server) insert(ctx context.Context, r sessionRow) error {
	leave, err := s.enter(ctx, make(chan struct{}, 1)) // it takes no turn of others
	if err != nil {
		return err
	}
	defer leave()
	w := &insertion{ctx: ctx, row: r, done: make(chan error, 1)}
	if err := s.inserter.add(w); err != nil {
		return err
	}
	select {
	case err = <-w.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if errors.Is(err, errAlone) {
		return s.submit(ctx, func(t *tx) error { return t.insertSession(r) })
	}
	return err
}

// add has an insertion carried out, by a goroutine that ends when none waits.
func (i *inserter) add(w *insertion) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.waiting) >= maxWaiting {
		return unavailable(fmt.Errorf("%d writes wait already", maxWaiting))
	}
	i.waiting = append(i.waiting, w)
	if i.active < maxInserting {
		i.active++
		i.running.Go(i.work)
	}
	return nil
}

// next takes what waits; the goroutine ends where there is none.
func (i *inserter) next() []*insertion {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := min(len(i.waiting), maxInserts)
	batch := i.waiting[:n:n]
	i.waiting = i.waiting[n:]
	if n == 0 {
		i.active--
	}
	return batch
}

func (i *inserter) work() {
	for {
		batch := i.next()
		if len(batch) == 0 {
			return
		}
		i.carryOut(slices.DeleteFunc(batch, func(w *insertion) bool {
			gone := w.ctx.Err() != nil // nobody waits for it
			if gone {
				w.done <- w.ctx.Err()
			}
			return gone
		}))
	}
}

// carryOut adds a batch and answers its callers.
func (i *inserter) carryOut(batch []*insertion) {
	// In one order on all nodes, so that two that want the same slots wait
	// for each other in one direction only.
	slices.SortFunc(batch, func(a, b *insertion) int { return cmp.Compare(a.row.slot, b.row.slot) })
	start := i.server.now()
	added, err := i.transact(batch)
	if len(batch) > 0 {
		i.server.observe("commit", i.server.now().Sub(start), err)
	}
	for n, w := range batch {
		switch {
		case err != nil:
			w.done <- err
		case added[n]:
			w.done <- nil
		default:
			w.done <- errAlone
		}
	}
}

// transact adds a batch in one transaction and says which rows were added. The
// error errAlone says that none was.
func (i *inserter) transact(batch []*insertion) (added []bool, err error) {
	s := i.server
	if len(batch) == 0 {
		return nil, nil
	}
	if err := s.reach.Check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*s.patience)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, s.failed(err)
	}
	defer conn.Release()
	added, committed, err := sendInserts(ctx, conn.Conn(), s.text(insertSession), batch)
	if err == nil && committed {
		return added, nil
	}
	(&remote{conn: conn.Conn(), sent: true}).undo(ctx)
	if err == nil || sqlState(err) != "" && !broken(err) { // the server says that it did not commit
		return nil, errors.Join(errAlone, s.failed(err))
	}
	return nil, s.failed(errors.Join(errUnanswered, err))
}

// sendInserts sends a whole transaction at once.
func sendInserts(ctx context.Context, conn *pgx.Conn, query string, batch []*insertion) (added []bool, committed bool, err error) {
	added = make([]bool, len(batch))
	var b pgx.Batch
	b.Queue("BEGIN")
	for n, w := range batch {
		b.Queue(query, w.row.values...).Exec(func(tag pgconn.CommandTag) error {
			added[n] = tag.RowsAffected() == 1
			return nil
		})
	}
	b.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		committed = tag.String() == "COMMIT"
		return nil
	})
	err = conn.SendBatch(ctx, &b).Close()
	return added, committed, err
}
