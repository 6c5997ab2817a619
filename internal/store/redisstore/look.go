package redisstore

import (
	"context"
	"crypto/rand"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// logPage is how many changes are read at once.
const logPage = 1000

// position is how far the log was followed: the newest sequence, and the mark
// of the change that has it. The zero position is before the first look.
type position struct {
	looked bool
	seq    int64
	mark   string
}

// look is one look at the log, which all share who asked before it began. What
// it found is there once done is closed.
type look struct {
	done chan struct{}
	seq  int64
	err  error
}

// catchUp reads the log on from where this process left it and returns the newest
// sequence. Where the log is not the continuation of what was read, the server
// lost writes, and it records that everything changed: when it returns without
// an error, nothing that was lost is vouched for.
func (s *Sessions) catchUp(ctx context.Context) (int64, error) {
	l, mine, before := s.feed.join()
	if mine {
		s.calls.Add(1) // beside the caller's own, which may end before
		go func() {
			defer s.calls.Done()
			s.lead(ctx, l, before)
		}()
	}
	select {
	case <-l.done:
		return l.seq, l.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// join returns a look that has not begun; mine says that the caller takes it,
// after the one before it where there is one.
func (f *feed) join() (l *look, mine bool, before *look) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.coming != nil {
		return f.coming, false, nil
	}
	l = &look{done: make(chan struct{})}
	if f.running == nil {
		f.running = l
		return l, true, nil
	}
	f.coming = l
	return l, true, f.running
}

// lead takes a look for all who joined it, which is why it does not end with
// the caller's context. Waiting and looking take no longer than the timeout.
func (s *Sessions) lead(ctx context.Context, l, before *look) {
	defer close(l.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.Timeout)
	defer cancel()
	if before != nil {
		select {
		case <-before.done:
		case <-ctx.Done():
			l.err = ctx.Err()
		}
	}
	s.feed.begin(l, l.err == nil)
	if l.err == nil {
		l.seq, l.err = s.readOn(ctx)
		s.feed.finish(l)
	}
}

// begin makes l, which was coming or is running already, the running look, or
// takes it back.
func (f *feed) begin(l *look, runs bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.coming == l {
		f.coming = nil
	}
	if runs {
		f.running = l
	}
}

func (f *feed) finish(l *look) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.running == l {
		f.running = nil
	}
}

// readOn reads the log page by page.
func (s *Sessions) readOn(ctx context.Context) (int64, error) {
	f := s.feed
	for {
		head, entries, err := s.log(ctx, f.seen.seq)
		if err != nil {
			return 0, err
		}
		if !f.seen.looked {
			f.seen = head
			return head.seq, nil
		}
		if head.seq == f.seen.seq && head.mark == f.seen.mark {
			return head.seq, nil
		}
		if head.seq <= f.seen.seq || !f.advance(entries) {
			return s.rupture(ctx)
		}
		if f.seen.seq >= head.seq {
			return f.seen.seq, nil
		}
	}
}

// log returns the head of the log and the entries after a sequence.
func (s *Sessions) log(ctx context.Context, after int64) (head position, entries []rueidis.XRangeEntry, err error) {
	b := s.client.B()
	results, err := s.doMulti(ctx, rueidis.Commands{
		b.Hmget().Key(s.prefix+"seq").Field("n", "m").Build(),
		b.Xrange().Key(s.prefix + "log").Start(from(after)).End("+").Count(logPage).Build(),
	})
	if err != nil {
		return head, nil, err
	}
	fields, err := results[0].AsStrSlice()
	if err != nil {
		return head, nil, err
	}
	head.looked = true
	if fields[0] != "" {
		if head.seq, err = strconv.ParseInt(fields[0], 10, 64); err != nil {
			return head, nil, err
		}
		head.mark = fields[1]
	}
	entries, err = results[1].AsXRange()
	return head, entries, err
}

// from is the first id of the log after a sequence.
func from(after int64) string { return decimal(max(after, 0)+1) + "-0" }

// advance moves seen over entries, and reports whether each continues the one
// before it.
func (f *feed) advance(entries []rueidis.XRangeEntry) bool {
	for _, e := range entries {
		seq, ok := sequence(e)
		if !ok || seq != f.seen.seq+1 || e.FieldValues["p"] != f.seen.mark {
			return false
		}
		f.seen.seq, f.seen.mark = seq, e.FieldValues["m"]
	}
	return len(entries) > 0
}

func sequence(e rueidis.XRangeEntry) (int64, bool) {
	text, _, _ := strings.Cut(e.ID, "-")
	seq, err := strconv.ParseInt(text, 10, 64)
	return seq, err == nil
}

// rupture records that everything changed, after every sequence that anyone who
// followed this process has seen.
func (s *Sessions) rupture(ctx context.Context) (int64, error) {
	mark := rand.Text()
	seq, err := s.record(ctx, mark, s.feed.seen.seq, store.Change{Kind: store.AllChanged})
	if err != nil {
		return 0, err
	}
	s.feed.seen.seq, s.feed.seen.mark = seq, mark
	return seq, nil
}
