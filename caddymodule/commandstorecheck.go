package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/admin"
	"github.com/gatehouse-auth/gatehouse/internal/store/redisstore"
	"github.com/gatehouse-auth/gatehouse/internal/store/sqlstore"
)

// inspectRows looks at a store, which must be there, without a change to it.
func (s storage) inspectRows(ctx context.Context) (sqlstore.Report, error) {
	if s.engine == engineSQLite {
		return sqlstore.InspectSQLite(ctx, s.path)
	}
	return sqlstore.InspectPostgres(ctx, s.url.Reveal())
}

// checkJSON is what a check found, in JSON.
type checkJSON struct {
	Engine string `json:"engine"`
	Place  string `json:"place"`
	Schema int    `json:"schema"`
	Needed int    `json:"needed"`
	// SessionPlaces are the servers that keep sessions apart.
	SessionPlaces []string              `json:"session_places"`
	Tables        []sqlstore.TableCount `json:"tables"`
	Keys          []admin.RingKey       `json:"keys"`
	Codes         int                   `json:"codes"`
	Notices       []string              `json:"notices"`
	Problems      []string              `json:"problems"`
}

func storeCheck() verb {
	return verb{
		use: "check", short: "Says whether the store is whole and what is in it",
		long: `
Opens the store without a change to it and says what and where it is, whether its
schema is the one that is needed, how many rows each table has, whether they are
whole, and whether all that is sealed opens under the key ring. The exit code is 1
where there is a problem. It reads all of a SQLite store.`,
		apart: func(o *operation, at *place) error {
			s, err := loadSetup(at.config, at.adapter)
			if err != nil {
				return err
			}
			where, err := s.app.resolved()
			if err != nil {
				return err
			}
			report, err := where.inspectRows(o)
			if err != nil {
				return err
			}
			c := checkJSON{
				Engine: report.Engine, Place: report.Place, Schema: report.Schema, Needed: report.Needed, Tables: report.Tables,
				Notices: report.Notices, Problems: report.Problems,
			}
			if err := c.sessions(o, where); err != nil {
				return err
			}
			if report.Schema == report.Needed && len(report.Tables) > 0 {
				if err := c.sealed(o, s); err != nil {
					c.Problems = append(c.Problems, sentence(err))
				}
			}
			return c.show(o)
		},
	}
}

// sessions looks at where sessions are kept apart.
func (c *checkJSON) sessions(ctx context.Context, where storage) error {
	if where.sessions.URL.Empty() {
		return nil
	}
	r, err := redisstore.Inspect(ctx, where.sessions)
	c.SessionPlaces = r.Places
	c.Notices = append(c.Notices, r.Notices...)
	c.Problems = append(c.Problems, r.Problems...)
	return err
}

// sealed opens all that is sealed.
func (c *checkJSON) sealed(o *operation, s *setup) error {
	p, done, err := s.ringPlace(o)
	if err != nil {
		return err
	}
	defer done()
	_, err = p.load(o)
	if errors.Is(err, fs.ErrNotExist) && p.storage != nil {
		c.Notices = append(c.Notices, "there is no key ring yet: the gateway makes one when it starts")
		return nil
	}
	if err != nil {
		return err
	}
	closed, err := o.openSealed(s, p, toLook)
	if err != nil {
		return err
	}
	use, err := o.admin.RingUse(o, func(int) {})
	if err := errors.Join(err, closed()); err != nil {
		return err
	}
	c.Keys, c.Codes = use.Keys, use.Codes
	c.Problems = append(c.Problems, use.Problems()...)
	return nil
}

func (c *checkJSON) show(o *operation) error {
	c.SessionPlaces, c.Tables, c.Keys = given(c.SessionPlaces), given(c.Tables), given(c.Keys)
	c.Notices, c.Problems = given(c.Notices), given(c.Problems)
	lines := []line{
		{"store", c.Engine + " " + visible(c.Place)},
		{"schema", fmt.Sprintf("%d, %d is needed", c.Schema, c.Needed)},
	}
	if len(c.SessionPlaces) > 0 {
		lines = append(lines, line{"sessions", engineRedis + " " + visible(strings.Join(c.SessionPlaces, ", "))})
	}
	for _, t := range c.Tables {
		lines = append(lines, line{t.Table, fmt.Sprint(t.Rows)})
	}
	for _, k := range c.Keys {
		lines = append(lines, line{"key " + k.ID, fmt.Sprintf("sealed %d signing keys and %d tokens", k.SigningKeys, k.Sessions)})
	}
	for _, n := range c.Notices {
		lines = append(lines, line{"notice", visible(n)})
	}
	for _, p := range c.Problems {
		lines = append(lines, line{"problem", visible(p)})
	}
	if err := o.show(c, lines...); err != nil {
		return err
	}
	if len(c.Problems) > 0 {
		return fmt.Errorf("the check found problems: %d", len(c.Problems))
	}
	return nil
}
