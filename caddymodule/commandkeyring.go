package caddymodule

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/store"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

func keyRingCommand() command {
	return group("key-ring", "Manages the keys that encrypt what the store keeps", `
Manages the key ring: the keys under which signing keys and the tokens that are
given back are sealed in the store, and authentication codes are found. The first
key seals, all of them open. It is that of all realms, and no key is ever shown.`,
		keyRingCreate(), keyRingList(), keyRingRotate(), keyRingReseal(), keyRingRemove(), keyRingForget())
}

// ringAt is the place of a key ring, and how to let go of it.
func ringAt(ctx context.Context, at *place) (*setup, ringPlace, func(), error) {
	s, err := loadSetup(at.config, at.adapter)
	if err != nil {
		return nil, ringPlace{}, nil, err
	}
	p, done, err := s.ringPlace(ctx)
	return s, p, done, err
}

// opening opens a store, to change it or only to look.
type opening func(ctx context.Context, s storage) (store.Store, error)

// toChange opens a store as gateways do.
func toChange(ctx context.Context, s storage) (store.Store, error) {
	return s.open(ctx, sqlstore.Options{Now: time.Now, Wait: startTimeout}, func(string) {})
}

// toLook opens one that nothing is changed of.
func toLook(ctx context.Context, s storage) (store.Store, error) {
	return s.look(ctx, sqlstore.Options{Now: time.Now})
}

// withRing has do work with the store and the ring of a configuration, neither of
// which is made where it is not there.
func (o *operation) withRing(at *place, how opening, do func(ringPlace) error) (err error) {
	s, p, done, err := ringAt(o, at)
	if err != nil {
		return err
	}
	defer done()
	if _, err := p.load(o); err != nil {
		return err
	}
	closed, err := o.openSealed(s, p, how)
	if err != nil {
		return err
	}
	defer func() {
		if e := closed(); err == nil {
			err = e
		}
	}()
	return do(p)
}

// openSealed opens a store that is there, for what reads all of it.
func (o *operation) openSealed(s *setup, p ringPlace, how opening) (closed func() error, err error) {
	where, err := s.app.resolved()
	if err != nil {
		return nil, err
	}
	if file := where.absent(); file != "" {
		return nil, noStore(file)
	}
	ctx, cancel := context.WithTimeout(o, startTimeout)
	defer cancel()
	rows, err := how(ctx, where)
	if err != nil {
		return nil, err
	}
	o.admin = &admin.Admin{Store: rows, Now: time.Now, Realm: defaultRealm, Ring: p.ring}
	return rows.Close, nil
}

// ring reads the ring; it makes none.
func (p ringPlace) ring(ctx context.Context) (*token.Ring, error) {
	files, err := p.load(ctx)
	if err != nil {
		return nil, err
	}
	return token.ParseRing(files...)
}

// keyRingJSON is what was done to a key of the ring, in JSON.
type keyRingJSON struct {
	Key   string `json:"key"`
	Place string `json:"place"`
}

func keyRingCreate() verb {
	return verb{
		use: "create [file]", args: optional, short: "Makes a key ring with one new key",
		long: `
Makes a key ring: in the file that is named, else where the configuration keeps
it. The file is for its owner only. Nothing is overwritten.`,
		apart: func(o *operation, at *place) error {
			p, done := ringPlace{files: o.args}, func() {}
			if len(o.args) == 0 {
				var err error
				if _, p, done, err = ringAt(o, at); err != nil {
					return err
				}
			}
			defer done()
			name, id, err := p.create(o)
			if err != nil {
				return err
			}
			return o.tell(keyRingJSON{id, name}, "made the key ring %s: back it up apart from the store", visible(name))
		},
	}
}

func keyRingList() verb {
	return verb{
		use: "list", short: "Lists the ids of the keys and what each sealed, never the keys",
		long: `
Lists the keys of the ring, the one that seals first, and those that the ring
lacks, with how many signing keys and tokens each sealed. All of them are opened
to see whether they can be. Authentication codes are counted apart: which key one
needs is not to be told.`,
		apart: func(o *operation, at *place) error {
			return o.withRing(at, toLook, func(ringPlace) error {
				tally := o.tally("looking")
				use, err := o.admin.RingUse(o, tally.count)
				tally.end()
				if err != nil {
					return err
				}
				if use.Codes > 0 {
					o.note("%d authentication codes need the key that was the first when they were set", use.Codes)
				}
				for _, p := range use.Problems() {
					o.note("%s", p)
				}
				return list(o, ringKeys(), func(yield func(admin.RingKey) error) error {
					for _, k := range use.Keys {
						if err := yield(k); err != nil {
							return err
						}
					}
					return nil
				})
			})
		},
	}
}

func ringKeys() listing[admin.RingKey] {
	return listing[admin.RingKey]{
		head: []string{"KEY", "IN RING", "SEALS", "SIGNING KEYS", "TOKENS", "BROKEN"},
		doc:  func(k admin.RingKey) (any, error) { return k, nil },
		cells: func(k admin.RingKey) ([]string, error) {
			return []string{
				cell(k.ID), boolCell(k.InRing), boolCell(k.Seals), fmt.Sprint(k.SigningKeys), fmt.Sprint(k.Sessions), fmt.Sprint(k.Broken),
			}, nil
		},
	}
}

func keyRingRotate() verb {
	var standby bool
	var to string
	return verb{
		use: "rotate", short: "Has a new key seal from now on; the old ones still open",
		long: `
Puts a new key before the others, in one step. Where several gateways share a
store each must have the new key before one of them seals with it: rotate with
--standby, which puts it behind the others, bring the file to all and reload
them, then rotate --to that key, and bring and reload again.`,
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&standby, "standby", false, "Put the new key behind the others: it opens and does not seal yet")
			f.StringVar(&to, "to", "", "Have this key of the ring seal, in place of a new one")
		},
		before: func(*operation) error {
			if standby && to != "" {
				return usagef("--standby and --to exclude each other")
			}
			return nil
		},
		apart: func(o *operation, at *place) error {
			_, p, done, err := ringAt(o, at)
			if err != nil {
				return err
			}
			defer done()
			id := to
			err = p.edit(o, func(files []token.RingFile) (n int, text []byte, err error) {
				if to == "" {
					text, id, err = token.AddKey(files[0], standby)
					return 0, text, err
				}
				text, err = token.FirstKey(files[0], to)
				return 0, text, noLine(err, to)
			})
			if err != nil {
				return err
			}
			what := "the key %s seals from now on: %s"
			if standby {
				what = "the key %s is in the ring: %s; then rotate --to it"
			}
			return o.tell(keyRingJSON{id, p.name(0)}, what, cell(id), p.takesEffect())
		},
	}
}

// noLine says that a ring has no such key, and leaves other errors.
func noLine(err error, id string) error {
	if token.WithoutKey(err) {
		return fmt.Errorf("there is no key %q in that file of the key ring", id)
	}
	return err
}

func keyRingReseal() verb {
	return verb{
		use: "reseal", short: "Seals anew what older keys sealed",
		long: `
Seals anew, under the first key of the ring, whatever another key of it sealed, so
that an old key can be removed. Gateways may run, once all of them have the first
key. Interrupted, it goes on where it is run again. Authentication codes cannot be
sealed anew, since nobody knows them: they keep needing their key until they are
set again.`,
		apart: func(o *operation, at *place) error {
			return o.withRing(at, toChange, func(ringPlace) error {
				tally := o.tally("sealing")
				all, err := o.admin.Reseal(o, tally.count)
				tally.end()
				if err != nil {
					return err
				}
				err = o.show(all, line{"signing keys", fmt.Sprint(all.SigningKeys)}, line{"tokens", fmt.Sprint(all.Sessions)},
					line{"left", fmt.Sprint(all.Left)})
				if err == nil && all.Left > 0 {
					err = fmt.Errorf("%d rows do not open under this key ring and were left as they are: 'key-ring list' says which key they need", all.Left)
				}
				return err
			})
		},
	}
}

func keyRingRemove() verb {
	var despite bool
	return verb{
		use: "remove <key>", args: 1, short: "Takes a key out of the ring that nothing needs any more",
		long: `
Takes a key out of the ring. It is refused while anything is sealed under it, and
where there are authentication codes, which may need it.`,
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&despite, "despite-codes", false, "Remove it although there are authentication codes: those that need it log nobody in any more")
		},
		apart: func(o *operation, at *place) error {
			return o.withRing(at, toLook, func(p ringPlace) error {
				use, err := o.admin.RingUse(o, func(int) {})
				if err != nil {
					return err
				}
				id := o.args[0]
				if err := use.Dispensable(id, despite); err != nil {
					return err
				}
				from := 0
				err = p.edit(o, func(files []token.RingFile) (n int, text []byte, err error) {
					from, text, err = removeKey(files, id)
					return from, text, err
				})
				if err != nil {
					return err
				}
				return o.tell(keyRingJSON{id, p.name(from)}, "removed the key %s: %s", cell(id), p.takesEffect())
			})
		},
	}
}

// removeKey takes a key out of the file that has it, unless that is the one that
// seals by now.
func removeKey(files []token.RingFile, id string) (n int, text []byte, err error) {
	ring, err := token.ParseRing(files...)
	if err != nil {
		return 0, nil, err
	}
	if ring.KeyIDs()[0] == id {
		return 0, nil, fmt.Errorf("the key %s is the one that seals: rotate first", id)
	}
	for i, f := range files {
		text, err := token.RemoveKey(f, id)
		if !token.WithoutKey(err) {
			return i, text, err
		}
	}
	return 0, nil, fmt.Errorf("there is no key %q in the key ring", id)
}

// forgottenJSON is what went with a key that is lost, in JSON.
type forgottenJSON struct {
	Key         string `json:"key"`
	SigningKeys int    `json:"signing_keys"`
}

func keyRingForget() verb {
	return verb{
		use: "forget <key>", args: 1, short: "Deletes the signing keys that a lost key sealed",
		long: `
Deletes the signing keys that were sealed under a key which is not in the ring, and
lost: without them a gateway starts and makes new ones. JWTs that they signed stay
good here for their time, each being looked up in the store.`,
		apart: func(o *operation, at *place) error {
			return o.withRing(at, toChange, func(ringPlace) error {
				n, err := o.admin.ForgetRingKey(o, o.args[0])
				if err != nil {
					return err
				}
				return o.tell(forgottenJSON{o.args[0], n}, "deleted %d signing keys", n)
			})
		},
	}
}
