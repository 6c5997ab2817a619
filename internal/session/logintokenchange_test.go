package session_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// change changes a login token by its id.
func (w *linkWorld) change(p *auth.Principal, l session.LoginToken, c session.LoginTokenChange) (session.LoginToken, error) {
	return w.ChangeLoginToken(w.ctx, p, l.ID, session.Query{}, c)
}

func TestALoginTokenIsChanged(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann := w.as("ann")
		l := w.link(ann)
		w.sleep(5 * time.Second)
		associate, end := annID, l.Created.Add(24*time.Hour)
		got, err := w.change(ann, l, session.LoginTokenChange{Associate: &associate, Expires: end.Add(999 * time.Millisecond), Is: l})
		must(t, err)
		want := l
		want.Associate, want.Expires, want.Updated = annID, end, wholeDate.Add(5*time.Second)
		if got != want {
			t.Errorf("changed to %+v, want %+v", got, want)
		}
		found, _, err := w.LoginTokens(w.ctx, ann, session.Query{})
		if must(t, err); found[0] != want {
			t.Errorf("stored is %+v", found[0])
		}
		w.sleep(23 * time.Hour)
		_, err = w.redeem(l)
		must(t, err)
	})
}

func TestAChangeThatIsNotTheCallersToMake(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann, zoe, chef := w.as("ann"), w.as("zoe"), w.as("chef")
		l := w.link(ann)
		zoes, nobodys, none := zoeID, "00000000-0000-4000-8000-000000000000", ""
		for name, c := range map[string]struct {
			caller *auth.Principal
			change session.LoginTokenChange
			code   auth.Code
			reason auth.Reason
		}{
			"of another's login token":             {zoe, session.LoginTokenChange{}, auth.NotFound, ""},
			"an associate that is another":         {ann, session.LoginTokenChange{Associate: &zoes}, auth.InsufficientScope, auth.ReasonSubject},
			"an associate that is nobody":          {ann, session.LoginTokenChange{Associate: &nobodys}, auth.InsufficientScope, auth.ReasonSubject},
			"an administrator's that is nobody":    {chef, session.LoginTokenChange{Associate: &nobodys}, auth.Malformed, auth.ReasonUnknown},
			"another id":                           {ann, session.LoginTokenChange{Is: session.LoginToken{ID: nobodys}}, auth.Malformed, auth.ReasonMismatch},
			"another token":                        {ann, session.LoginTokenChange{Is: session.LoginToken{Token: auth.NewSecret("x")}}, auth.Malformed, auth.ReasonMismatch},
			"another identity":                     {ann, session.LoginTokenChange{Is: session.LoginToken{Identity: nobodys}}, auth.Malformed, auth.ReasonMismatch},
			"another birth":                        {ann, session.LoginTokenChange{Is: session.LoginToken{Created: l.Created.Add(-time.Second)}}, auth.Malformed, auth.ReasonMismatch},
			"another last change":                  {ann, session.LoginTokenChange{Is: session.LoginToken{Updated: l.Created.Add(time.Second)}}, auth.Malformed, auth.ReasonMismatch},
			"a life past the longest":              {ann, session.LoginTokenChange{Expires: l.Created.Add(24*time.Hour + time.Second)}, auth.Malformed, auth.ReasonForm},
			"an administrator's past the longest":  {chef, session.LoginTokenChange{Expires: l.Created.Add(24*time.Hour + time.Second)}, auth.Malformed, auth.ReasonForm},
			"an administrator's of what is absent": {chef, session.LoginTokenChange{Associate: &none}, auth.NotFound, ""},
		} {
			target := l
			if name == "an administrator's of what is absent" {
				target.ID = nobodys
			}
			got, err := w.change(c.caller, target, c.change)
			if e := auth.AsError(err); e == nil || e.Code != c.code || e.Reason != c.reason || got != (session.LoginToken{}) {
				t.Errorf("%s: %v, %+v, want %v: %v", name, err, got, c.code, c.reason)
			}
			if (c.reason == auth.ReasonForm) != errors.Is(err, session.ErrLife) {
				t.Errorf("%s: %v", name, err)
			}
		}
		found, _, err := w.LoginTokens(w.ctx, ann, session.Query{})
		if must(t, err); found[0] != l {
			t.Errorf("stored is %+v, want %+v", found[0], l)
		}
		got, err := w.change(chef, l, session.LoginTokenChange{Associate: &zoes})
		if must(t, err); got.Associate != zoeID {
			t.Errorf("an administrator changed it to %+v", got)
		}
	})
}

func TestAnExpiredOrRedeemedLoginTokenIsNeverRevived(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		l, spent := w.link(w.as("ann")), w.link(w.as("ann"))
		_, err := w.redeem(spent)
		must(t, err)
		w.sleep(10 * time.Minute)
		ann := w.as("ann")
		longer := session.LoginTokenChange{Expires: w.now().Add(time.Hour)}
		_, err = w.change(ann, l, longer)
		wantRefusal(t, err, auth.Malformed, auth.ReasonExpired)
		_, err = w.change(ann, spent, longer)
		wantRefusal(t, err, auth.NotFound, "")
		got, err := w.ChangeLoginTokens(w.ctx, ann, session.Query{}, longer)
		if must(t, err); len(got) != 0 {
			t.Errorf("changed %+v", got)
		}
		_, err = w.redeem(l)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
	})
}

func TestALoginTokenCanBeEndedEarly(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann := w.as("ann")
		l := w.link(ann)
		got, err := w.change(ann, l, session.LoginTokenChange{Expires: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)})
		if must(t, err); got.Expires.Year() != 2000 || len(w.links(ann)) != 1 {
			t.Errorf("changed to %+v", got)
		}
		_, err = w.redeem(l)
		wantRefusal(t, err, auth.InvalidCredential, auth.ReasonExpired)
	})
}

func TestAChangeOfManyIsCheckedBeforeTheFirst(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann := w.as("ann")
		first := w.link(ann)
		w.sleep(time.Second)
		second := w.link(ann)
		end := second.Created.Add(24 * time.Hour) // a second too late for the first
		_, err := w.ChangeLoginTokens(w.ctx, ann, session.Query{}, session.LoginTokenChange{Expires: end})
		wantRefusal(t, err, auth.Malformed, auth.ReasonForm)
		_, err = w.ChangeLoginTokens(w.ctx, ann, session.Query{}, session.LoginTokenChange{Expires: end.Add(-time.Hour), Is: session.LoginToken{ID: second.ID}})
		wantRefusal(t, err, auth.Malformed, auth.ReasonMismatch)
		found, _, err := w.LoginTokens(w.ctx, ann, session.Query{Order: []session.Order{{Field: session.FieldIssued}}})
		if must(t, err); found[0] != first || found[1] != second {
			t.Errorf("stored are %+v", found)
		}
		got, err := w.ChangeLoginTokens(w.ctx, ann, session.Query{}, session.LoginTokenChange{Expires: end.Add(-time.Hour)})
		if must(t, err); len(got) != 2 || !got[0].Expires.Equal(end.Add(-time.Hour)) {
			t.Errorf("changed to %+v", got)
		}
	})
}

func TestWithoutAFilterOnlyTheCallersOwnAreChanged(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		chef := w.as("chef")
		w.link(w.as("ann"))
		own := w.link(chef)
		got, err := w.ChangeLoginTokens(w.ctx, chef, session.Query{}, session.LoginTokenChange{})
		if must(t, err); len(got) != 1 || got[0].ID != own.ID {
			t.Errorf("changed %+v", got)
		}
		got, err = w.ChangeLoginTokens(w.ctx, chef, session.Query{Where: session.Filter{Field: session.FieldID, Op: session.NotEqual, Values: []any{own.ID}}}, session.LoginTokenChange{})
		if must(t, err); len(got) != 1 || got[0].ID == own.ID {
			t.Errorf("changed %+v", got)
		}
	})
}

func TestMoreThanAStoreReturnsAtOnceIsNotChangedInPart(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann := w.as("ann")
		for range 10 {
			_, err := w.CreateLoginTokens(w.ctx, ann, make([]string, 100)...)
			must(t, err)
		}
		w.link(ann)
		_, err := w.RemoveLoginTokens(w.ctx, ann, session.Query{})
		wantRefusal(t, err, auth.Malformed, auth.ReasonTooLarge)
		removed, err := w.RemoveLoginTokens(w.ctx, ann, session.Query{Page: session.Page{Limit: 2}})
		if must(t, err); len(removed) != 2 || len(w.links(ann)) != 999 {
			t.Errorf("removed %d", len(removed))
		}
	})
}

func TestChangesAtOnceAllCount(t *testing.T) {
	withLinks(t, func(t *testing.T, w *linkWorld) {
		ann := w.as("ann")
		l := w.link(ann)
		associate := annID
		var wg sync.WaitGroup
		for _, c := range []session.LoginTokenChange{{Associate: &associate}, {Expires: l.Expires.Add(time.Hour)}} {
			wg.Go(func() {
				if _, err := w.change(ann, l, c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		row, err := w.Sessions.Session(w.ctx, realm, store.SessionRef{ID: l.ID})
		if must(t, err); row.Associate != annID || !row.Expires.Equal(l.Expires.Add(time.Hour)) {
			t.Errorf("stored is %+v", row)
		}
	})
}
