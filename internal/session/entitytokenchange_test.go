package session_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

const year = 365 * 24 * time.Hour

func wantErrKey(t *testing.T, err error, want bool) {
	t.Helper()
	if errors.Is(err, auth.ErrKey) != want {
		t.Errorf("%v is about a key: %v, want %v", err, !want, want)
	}
}

// change gives the token of a place another end.
func (w *entityWorld) changeEnd(in time.Duration) error {
	end := w.now().Add(in)
	return w.ChangeEntityToken(w.ctx, place, session.EntityTokenChange{Expires: &end})
}

func TestTheEndOfAnEntityTokenCanBeMoved(t *testing.T) {
	onEachStore(t, session.Config{}, func(t *testing.T, w *entityWorld) {
		made := w.create(place)
		for _, in := range []time.Duration{time.Millisecond, year, time.Hour, 72 * time.Hour} {
			must(t, w.changeEnd(in))
			got, err := w.EntityToken(w.ctx, place)
			must(t, err)
			if got.Token != made.Token || got.ID != made.ID || !got.Expires.Equal(w.now().Add(in)) {
				t.Errorf("to %v: %+v", in, got)
			}
		}
		w.sleep(72*time.Hour - time.Millisecond)
		w.wantGood(made.Token)
		w.sleep(time.Millisecond)
		w.wantDead(made.Token)
		w.wantNone(place)
	})
}

func TestAnEndThatHasPassedEndsAnEntityTokenNow(t *testing.T) {
	onEachStore(t, session.Config{Overlap: time.Hour}, func(t *testing.T, w *entityWorld) {
		for _, in := range []time.Duration{0, time.Microsecond, -time.Millisecond, -time.Hour, -200 * year} {
			first := w.create(place)
			second, err := w.RefreshEntityToken(w.ctx, place, "")
			must(t, err)
			must(t, w.changeEnd(in))
			w.wantNone(place)
			w.wantDead(first.Token)
			w.wantDead(second.Token)
			if err := w.changeEnd(time.Hour); !auth.IsNotFound(err) {
				t.Errorf("revived: %v", err)
			}
			if n := len(w.rows()); n != 0 {
				t.Errorf("%d rows are left", n)
			}
		}
	})
}

func TestNoEndIsLaterThanTheLongestLife(t *testing.T) {
	w := inMemory(t)
	made := w.create(place)
	for _, in := range []time.Duration{year + time.Millisecond, 2 * year, 290 * year} {
		wantRefusal(t, w.changeEnd(in), auth.Malformed, auth.ReasonForm)
	}
	got, err := w.EntityToken(w.ctx, place)
	must(t, err)
	if !got.Expires.Equal(made.Expires) {
		t.Errorf("it ends at %v", got.Expires)
	}
	end := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	wantRefusal(t, w.ChangeEntityToken(w.ctx, place, session.EntityTokenChange{Expires: &end}), auth.Malformed, auth.ReasonForm)
}

func TestFlagsReplaceTheOldOnes(t *testing.T) {
	onEachStore(t, session.Config{}, func(t *testing.T, w *entityWorld) {
		made := w.create(place)
		if len(made.Flags) != 0 {
			t.Errorf("new flags %q", made.Flags)
		}
		for _, flags := range [][]string{{"a", "b"}, {"c"}, {}, {"", "ü", "c,d"}} {
			must(t, w.ChangeEntityToken(w.ctx, place, session.EntityTokenChange{Flags: &flags}))
			must(t, w.ChangeEntityToken(w.ctx, place, session.EntityTokenChange{}))
			must(t, w.changeEnd(time.Hour))
			got, err := w.EntityToken(w.ctx, place)
			must(t, err)
			if !slices.Equal(got.Flags, flags) || got.Token != made.Token {
				t.Errorf("flags %q, want %q", got.Flags, flags)
			}
		}
		w.wantGood(made.Token)
	})
}

func TestThereIsNothingToChangeWithoutAToken(t *testing.T) {
	w := inMemory(t)
	for name, c := range map[string]session.EntityTokenChange{
		"nothing": {}, "flags": {Flags: &[]string{"a"}}, "a past end": {Expires: &worldBegan}, "a later end": {Expires: new(w.now().Add(time.Hour))},
	} {
		if err := w.ChangeEntityToken(w.ctx, place, c); !auth.IsNotFound(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestChangesAtTheSameTimeAllCount, in some order, and none of them undoes a
// refresh.
func TestChangesAtTheSameTimeAllCount(t *testing.T) {
	onEachStore(t, session.Config{}, func(t *testing.T, w *entityWorld) {
		made := w.create(place)
		var next session.EntityToken
		errs := atOnce(11, func(i int) (err error) {
			if i == 0 {
				next, err = w.RefreshEntityToken(w.ctx, place, made.Token.Reveal())
				return err
			}
			return w.ChangeEntityToken(w.ctx, place, session.EntityTokenChange{Flags: &[]string{strconv.Itoa(i)}})
		})
		for _, err := range errs {
			must(t, err)
		}
		got, err := w.EntityToken(w.ctx, place)
		must(t, err)
		if got.Token != next.Token || len(got.Flags) != 1 {
			t.Errorf("got %+v, want the new token with one flag", got)
		}
		w.wantDead(made.Token)
	})
}

func TestARefreshReplacesTheToken(t *testing.T) {
	onEachStore(t, session.Config{}, func(t *testing.T, w *entityWorld) {
		first := w.create(place)
		must(t, w.changeEnd(time.Hour))
		must(t, w.ChangeEntityToken(w.ctx, place, session.EntityTokenChange{Flags: &[]string{"kept"}}))
		w.sleep(time.Minute)
		for _, old := range []string{first.Token.Reveal(), ""} {
			was, err := w.EntityToken(w.ctx, place)
			must(t, err)
			next, err := w.RefreshEntityToken(w.ctx, place, old)
			must(t, err)
			if next.Token == was.Token || next.ID == was.ID || !slices.Equal(next.Flags, []string{"kept"}) ||
				!next.Expires.Equal(w.now().Add(48*time.Hour)) {
				t.Errorf("refreshed %+v to %+v", was, next)
			}
			w.wantDead(was.Token)
			w.wantGood(next.Token)
			got, err := w.EntityToken(w.ctx, place)
			must(t, err)
			if got.Token != next.Token {
				t.Error("another token is given back")
			}
		}
	})
}

func TestARefreshOfAnotherTokenLeavesTheCurrentOne(t *testing.T) {
	onEachStore(t, session.Config{Overlap: time.Minute}, func(t *testing.T, w *entityWorld) {
		first := w.create(place)
		second, err := w.RefreshEntityToken(w.ctx, place, first.Token.Reveal())
		must(t, err)
		foreign := w.create(session.Place{Tenant: acmeID, Account: doraID})
		for name, old := range map[string]string{
			"the one before": first.Token.Reveal(), "another user's": foreign.Token.Reveal(), "nobody's": "nobody's",
			"a user token": userToken("Ann"), "a spelling of it": second.Token.Reveal() + " ",
		} {
			_, err := w.RefreshEntityToken(w.ctx, place, old)
			if err == nil {
				t.Fatalf("%s was refreshed", name)
			}
			wantRefusal(t, err, auth.InvalidCredential, auth.ReasonMismatch)
		}
		w.wantGood(second.Token)
		got, err := w.EntityToken(w.ctx, place)
		must(t, err)
		if got.Token != second.Token {
			t.Error("the current token changed")
		}
	})
}

func TestThereIsNothingToRefreshWithoutAToken(t *testing.T) {
	w := inMemory(t)
	for _, old := range []string{"", "nobody's"} {
		if _, err := w.RefreshEntityToken(w.ctx, place, old); !auth.IsNotFound(err) {
			t.Errorf("%q: %v", old, err)
		}
	}
}

func TestOfFiftyRefreshesOneWins(t *testing.T) {
	for name, overlap := range map[string]time.Duration{"without an overlap": 0, "with one": time.Minute} {
		for body, named := range map[string]bool{"of a named token": true, "of whichever is there": false} {
			t.Run(name+", "+body, func(t *testing.T) {
				onEachStore(t, session.Config{Overlap: overlap}, func(t *testing.T, w *entityWorld) {
					for range 2 {
						w.raceRefreshes(named)
					}
				})
			})
		}
	}
}

// raceRefreshes refreshes the token of a place 50 times at once. Where no
// token is named a caller may come late and refresh the winner's: so there all
// have read the token before one exchanges it.
func (w *entityWorld) raceRefreshes(named bool) {
	w.t.Helper()
	made := w.create(place)
	old := ""
	if named {
		old = made.Token.Reveal()
	} else {
		rows := w.deps.Store.Sessions
		w.deps.Store.Sessions = gather(rows, 50)
		defer func() { w.deps.Store.Sessions = rows }()
	}
	next := make([]session.EntityToken, 50)
	errs := atOnce(len(next), func(i int) (err error) {
		next[i], err = w.RefreshEntityToken(w.ctx, place, old)
		return err
	})
	var winner session.EntityToken
	for i, err := range errs {
		if err != nil {
			wantRefusal(w.t, err, auth.InvalidCredential, auth.ReasonMismatch)
			continue
		}
		if !winner.Token.Empty() {
			w.t.Error("two refreshes won")
		}
		winner = next[i]
	}
	got, err := w.EntityToken(w.ctx, place)
	must(w.t, err)
	if winner.Token.Empty() || got.Token != winner.Token {
		w.t.Errorf("nobody won, or not who holds the place: %+v", winner)
	}
	w.wantGood(winner.Token)
}

func TestAnOverlapKeepsTheOldTokenForAWhile(t *testing.T) {
	onEachStore(t, session.Config{Overlap: time.Minute}, func(t *testing.T, w *entityWorld) {
		first := w.create(place)
		second, err := w.RefreshEntityToken(w.ctx, place, "")
		must(t, err)
		w.sleep(30 * time.Second)
		third, err := w.RefreshEntityToken(w.ctx, place, second.Token.Reveal())
		must(t, err)
		for _, made := range []session.EntityToken{first, second, third} {
			w.wantGood(made.Token)
		}
		w.sleep(30*time.Second - time.Millisecond)
		w.wantGood(first.Token)
		w.sleep(time.Millisecond)
		w.wantDead(first.Token)
		w.wantGood(second.Token)
		w.sleep(30 * time.Second)
		w.wantDead(second.Token)
		w.wantGood(third.Token)
	})
}

func TestAnOverlapNeverOutlivesATokenBesideIt(t *testing.T) {
	t.Run("the old one's own end", func(t *testing.T) {
		w := newEntityWorld(t, session.Config{Overlap: time.Hour}, inMemoryStore)
		first := w.create(place)
		must(t, w.changeEnd(time.Minute))
		_, err := w.RefreshEntityToken(w.ctx, place, "")
		must(t, err)
		w.wantGood(first.Token)
		w.sleep(time.Minute)
		w.wantDead(first.Token)
	})
	t.Run("the new one's end", func(t *testing.T) {
		w := newEntityWorld(t, session.Config{Overlap: year}, inMemoryStore)
		first := w.create(place)
		must(t, w.changeEnd(year))
		_, err := w.RefreshEntityToken(w.ctx, place, "")
		must(t, err)
		w.sleep(48 * time.Hour)
		w.wantNone(place)
		w.wantDead(first.Token)
	})
	t.Run("an end that was brought forward", func(t *testing.T) {
		onEachStore(t, session.Config{Overlap: time.Hour}, func(t *testing.T, w *entityWorld) {
			first := w.create(place)
			second, err := w.RefreshEntityToken(w.ctx, place, "")
			must(t, err)
			must(t, w.changeEnd(2*time.Hour))
			w.wantGood(first.Token)
			must(t, w.changeEnd(time.Minute))
			w.wantDead(first.Token)
			w.wantGood(second.Token)
		})
	})
	t.Run("a removal", func(t *testing.T) {
		onEachStore(t, session.Config{Overlap: time.Hour}, func(t *testing.T, w *entityWorld) {
			first := w.create(place)
			second, err := w.RefreshEntityToken(w.ctx, place, "")
			must(t, err)
			must(t, w.DeleteEntityToken(w.ctx, place))
			w.wantDead(first.Token)
			w.wantDead(second.Token)
		})
	})
}
