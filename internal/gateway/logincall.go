package gateway

import (
	"context"
	"net/http"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// loginCall is one call of a dialect's own on its way, so that a refusal of it
// is audited once: by the session service, which knows more of a login that
// failed, or else here.
type loginCall struct {
	site    *Site
	r       *http.Request
	dialect string
	audited bool
}

type loginCallKey struct{}

// context returns the context that the dialect and the service get.
func (c *loginCall) context() context.Context {
	ctx := session.WithAddress(c.r.Context(), c.site.address(c.r))
	ctx = store.WithBudget(ctx, c.site.storeTime)
	ctx = context.WithValue(ctx, loginCallKey{}, c)
	return dialect.WithRefused(ctx, c.refused)
}

// failed notes that the service has audited a failure of the call under way.
func failed(ctx context.Context) {
	if c, ok := ctx.Value(loginCallKey{}).(*loginCall); ok {
		c.audited = true
	}
}

func (c *loginCall) refused(err error) {
	if c.audited {
		return
	}
	c.audited = true
	c.site.audit(c.r.Context(), auth.Event{
		Kind: auth.RefusalEvent, Realm: c.site.cfg.Realm, Dialect: c.dialect, Address: c.site.address(c.r),
		Method: cut(c.r.Method, maxMethod), Host: cut(c.r.Host, maxHost), Path: c.site.shownPath(c.r),
	}.Failed(err))
}
