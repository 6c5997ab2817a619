package admin_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func quiet(int) {}

// ringDesk is a desk with a ring that can be exchanged.
type ringDesk struct {
	*desk
	file token.RingFile
}

func newRingDesk(t *testing.T) *ringDesk {
	d := &ringDesk{desk: newDesk(t), file: token.RingFile{Name: "keys", Text: token.NewRing()}}
	d.Ring = func(context.Context) (*token.Ring, error) { return token.ParseRing(d.file) }
	return d
}

func (d *ringDesk) ring() *token.Ring {
	d.Helper()
	r, err := token.ParseRing(d.file)
	d.must(err)
	return r
}

// next puts a new key before the others.
func (d *ringDesk) next() (old string) {
	d.Helper()
	old = d.ring().KeyIDs()[0]
	text, _, err := token.AddKey(d.file, false)
	d.must(err)
	d.file.Text = text
	return old
}

func (d *ringDesk) remove(id string) {
	d.Helper()
	text, err := token.RemoveKey(d.file, id)
	d.must(err)
	d.file.Text = text
}

func (d *ringDesk) signers() *token.Signers {
	return token.NewSigners(d.Store.SigningKeys, d.ring(), d.Now)
}

// sealedToken is a session that keeps its token.
func (d *ringDesk) sealedToken(id string) store.Session {
	d.Helper()
	s := store.Session{ID: id, Realm: d.Realm, Digest: auth.DigestOf(id), Expires: d.now.Add(time.Hour), Keep: d.now.Add(time.Hour)}
	var err error
	s.Sealed, err = d.ring().Seal([]byte("token "+id), token.BindSession(s.Realm, s.ID))
	d.must(err)
	d.must(d.Store.Sessions.InsertSession(d.Context(), s))
	return s
}

func (d *ringDesk) opens(id string) {
	d.Helper()
	s, err := d.Store.Sessions.Session(d.Context(), d.Realm, store.SessionRef{ID: id})
	d.must(err)
	plain, err := d.ring().Open(s.Sealed, token.BindSession(s.Realm, s.ID))
	if err != nil || string(plain) != "token "+id {
		d.Errorf("%s opens as %q, %v", id, plain, err)
	}
}

func (d *ringDesk) use() admin.RingUse {
	d.Helper()
	u, err := d.RingUse(d.Context(), quiet)
	d.must(err)
	return u
}

var claims = func(now time.Time) token.Claims {
	return token.Claims{ID: "1", Subject: "2", Issued: now, Expires: now.Add(time.Hour)}
}

func TestAnOldKeyCanGoOnceAllIsSealedAnew(t *testing.T) {
	d := newRingDesk(t)
	jwt, err := d.signers().Sign(d.Context(), d.Realm, claims(d.now))
	d.must(err)
	d.sealedToken("one")
	d.sealedToken("two")
	old := d.next()

	u := d.use()
	if len(u.Keys) != 2 || u.Keys[1] != (admin.RingKey{ID: old, InRing: true, SigningKeys: 1, Sessions: 2}) || len(u.Problems()) > 0 {
		t.Fatalf("before: %+v", u)
	}
	all, err := d.Reseal(d.Context(), quiet)
	d.must(err)
	if all != (admin.Resealed{SigningKeys: 1, Sessions: 2}) {
		t.Fatalf("sealed anew: %+v", all)
	}
	if u = d.use(); u.Keys[1] != (admin.RingKey{ID: old, InRing: true}) {
		t.Fatalf("after: %+v", u)
	}
	all, err = d.Reseal(d.Context(), quiet)
	d.must(err)
	if all != (admin.Resealed{}) {
		t.Fatalf("a second time: %+v", all)
	}

	d.remove(old)
	d.opens("one")
	d.opens("two")
	s := d.signers()
	d.must(s.Load(d.Context()))
	if !s.Ours(jwt.Reveal()) {
		t.Error("a token that was issued before is not known to be ours")
	}
	if _, err := s.Verify(d.Context(), d.Realm, jwt.Reveal()); err != nil {
		t.Errorf("a token that was issued before: %v", err)
	}
	if _, err := s.Rotate(d.Context(), token.UseToken); err != nil {
		t.Errorf("the key that signed it cannot be rotated: %v", err)
	}
}

func TestAMissingKeyIsNamed(t *testing.T) {
	d := newRingDesk(t)
	_, err := d.signers().Sign(d.Context(), d.Realm, claims(d.now))
	d.must(err)
	d.sealedToken("one")
	old := d.next()
	d.remove(old)

	u := d.use()
	if p := u.Problems(); len(p) != 1 || !strings.Contains(p[0], "the key "+old+" is not in the key ring, and sealed 1 signing keys and 1 tokens") {
		t.Errorf("problems: %q", p)
	}
	all, err := d.Reseal(d.Context(), quiet)
	d.must(err)
	if all != (admin.Resealed{Left: 2}) {
		t.Errorf("sealed anew: %+v", all)
	}
	err = d.signers().Load(d.Context())
	missing, ok := errors.AsType[*token.MissingKeyError](err)
	if !ok || missing.Key != old || !strings.Contains(err.Error(), "key-ring forget "+old) {
		t.Errorf("at the start: %v", err)
	}

	_, err = d.ForgetRingKey(d.Context(), d.ring().KeyIDs()[0])
	d.fails(err, auth.Conflict, "is in the key ring")
	n, err := d.ForgetRingKey(d.Context(), old)
	d.must(err)
	if n != 1 {
		t.Errorf("%d signing keys were removed", n)
	}
	d.must(d.signers().Load(d.Context()))
	_, err = d.ForgetRingKey(d.Context(), old)
	d.fails(err, auth.NotFound, "no signing key")
}

func TestARowThatWasChangedIsCountedAndLeft(t *testing.T) {
	d := newRingDesk(t)
	s := d.sealedToken("one")
	moved := s
	moved.ID, moved.Digest = "two", auth.DigestOf("two")
	d.must(d.Store.Sessions.InsertSession(d.Context(), moved))
	d.next()
	if u := d.use(); u.Keys[1].Broken != 1 || u.Keys[1].Sessions != 2 || len(u.Problems()) != 1 {
		t.Errorf("%+v", u)
	}
	all, err := d.Reseal(d.Context(), quiet)
	d.must(err)
	if all != (admin.Resealed{Sessions: 1, Left: 1}) {
		t.Errorf("sealed anew: %+v", all)
	}
	d.opens("one")
}

// racing has somebody replace a session while it is sealed anew: with what they
// read before, as a refresh does.
type racing struct {
	store.Sessions
	store.SealedSessions
	before func(store.SealedRow)
}

func (r racing) ResealSession(ctx context.Context, row store.SealedRow, sealed []byte) error {
	if err := r.SealedSessions.ResealSession(ctx, row, sealed); err != nil {
		return err
	}
	r.before(row)
	return nil
}

func TestARowThatIsReplacedMeanwhileIsSealedAnewAtLast(t *testing.T) {
	d := newRingDesk(t)
	d.sealedToken("one")
	d.next()
	rows, once := d.Store.Sessions, false
	d.Store.Sessions = racing{rows, rows.(store.SealedSessions), func(row store.SealedRow) {
		if once {
			return
		}
		once = true
		s, err := rows.Session(d.Context(), row.Realm, store.SessionRef{ID: row.ID})
		d.must(err)
		s.Sealed, s.Retired = row.Sealed, d.now
		d.must(rows.ExchangeSession(d.Context(), s))
	}}
	_, err := d.Reseal(d.Context(), quiet)
	d.must(err)
	s, err := rows.Session(d.Context(), d.Realm, store.SessionRef{ID: "one"})
	d.must(err)
	if !d.ring().Seals(s.Sealed) || s.Retired.IsZero() {
		t.Error("what the other wrote is lost, or is sealed under the old key still")
	}
}

// Two nodes with different rings on one store: neither takes nor spoils what the
// other sealed.
func TestTwoRingsOnOneStoreDoNoHarm(t *testing.T) {
	d := newRingDesk(t)
	mine := d.signers()
	jwt, err := mine.Sign(d.Context(), d.Realm, claims(d.now))
	d.must(err)
	d.sealedToken("one")
	other := *d
	other.Admin = &admin.Admin{Store: d.Store, Now: d.Now, Realm: d.Realm}
	other.file = token.RingFile{Name: "others", Text: token.NewRing()}
	other.Ring = func(context.Context) (*token.Ring, error) { return other.ring(), nil }
	theirs := other.signers()

	if _, ok := errors.AsType[*token.MissingKeyError](theirs.Load(d.Context())); !ok {
		t.Error("a node with another ring starts on this store")
	}
	if theirs.Ours(jwt.Reveal()) {
		t.Error("a token of the one is the other's")
	}
	if _, err := theirs.Verify(d.Context(), d.Realm, jwt.Reveal()); auth.CodeOf(err) != auth.InvalidCredential {
		t.Errorf("a token of the one before the other: %v", err)
	}
	if _, err := theirs.Sign(d.Context(), d.Realm, claims(d.now)); auth.CodeOf(err) != auth.Unavailable {
		t.Errorf("the other signs: %v", err)
	}
	if _, err := theirs.Rotate(d.Context(), token.UseToken); auth.CodeOf(err) != auth.Conflict {
		t.Errorf("the other rotates: %v", err)
	}
	if _, told := errors.AsType[*token.MissingKeyError](theirs.Tend(d.Context(), time.Nanosecond)); !told {
		t.Error("the other does not say on schedule which key it lacks")
	}
	all, err := other.Reseal(d.Context(), quiet)
	d.must(err)
	if all != (admin.Resealed{Left: 2}) {
		t.Errorf("the other sealed anew: %+v", all)
	}

	d.opens("one")
	if _, err := mine.Verify(d.Context(), d.Realm, jwt.Reveal()); err != nil {
		t.Errorf("its own token is no good any more: %v", err)
	}
	d.must(d.signers().Load(d.Context()))
}
