package caddymodule

import (
	"context"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// auditor writes one structured line per login, refusal and revocation to the
// logger http.handlers.gatehouse.audit. No line holds a secret.
type auditor struct{ log *zap.Logger }

func newAuditor(log *zap.Logger) auditor { return auditor{log.Named("audit")} }

func (a auditor) write(_ context.Context, e auth.Event) {
	level := zapcore.InfoLevel
	if !e.OK && (e.Code == auth.Internal || e.Code == auth.Unavailable) {
		level = zapcore.ErrorLevel
	}
	entry := a.log.Check(level, string(e.Kind))
	if entry == nil {
		return
	}
	entry.Write(auditFields(e)...)
}

func auditFields(e auth.Event) []zap.Field {
	fields := []zap.Field{zap.Bool("ok", e.OK), zap.String("realm", e.Realm)}
	if !e.OK {
		fields = append(fields, zap.String("code", e.Code.String()), zap.String("reason", string(e.Reason)))
	}
	for _, f := range []struct{ key, value string }{
		{"request_id", e.RequestID},
		{"dialect", e.Dialect},
		{"name", e.Name},
		{"subject", e.Subject},
		{"token_id", e.TokenID},
		{"credential", string(e.Credential)},
		{"method", e.Method},
		{"host", e.Host},
		{"path", e.Path},
	} {
		if f.value != "" {
			fields = append(fields, zap.String(f.key, f.value))
		}
	}
	if e.KeyID != 0 {
		fields = append(fields, zap.Int64("key_id", e.KeyID))
	}
	if e.Rule != 0 {
		fields = append(fields, zap.Int("rule", e.Rule))
	}
	if e.Address.IsValid() {
		fields = append(fields, zap.Stringer("address", e.Address))
	}
	if e.Cause != nil {
		fields = append(fields, zap.NamedError("cause", e.Cause))
	}
	if e.Observed {
		fields = append(fields, zap.Bool("observed", true))
	}
	return fields
}
