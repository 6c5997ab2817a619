package auth

// Reason is a short stable word for the cause of a refusal, as it stands in
// the audit log and in metric labels. The set is small and closed, so that it
// can be a label.
type Reason string

// The reasons of this package. "" means that the code says it all.
const (
	ReasonUnknown     Reason = "unknown"     // no such token, key or account
	ReasonExpired     Reason = "expired"     // genuine, but past its time
	ReasonRevoked     Reason = "revoked"     // genuine, but withdrawn
	ReasonReplayed    Reason = "replayed"    // good for one use, and used again
	ReasonDisabled    Reason = "disabled"    // the account is switched off
	ReasonPassword    Reason = "password"    // the password is wrong
	ReasonSignature   Reason = "signature"   // a JWT that nobody here signed
	ReasonMismatch    Reason = "mismatch"    // parts of a credential disagree
	ReasonAmbiguous   Reason = "ambiguous"   // two credentials of different callers
	ReasonDuplicate   Reason = "duplicate"   // one source, two values
	ReasonForm        Reason = "form"        // the value has the wrong form
	ReasonTooLarge    Reason = "too_large"   // past a bound
	ReasonMediaType   Reason = "media_type"  // a content type nobody reads
	ReasonPath        Reason = "path"        // a path that reads two ways
	ReasonMethod      Reason = "method"      // a method that is not served
	ReasonAddress     Reason = "address"     // not on the allow-list
	ReasonRole        Reason = "role"        // lacks a role
	ReasonScope       Reason = "scope"       // lacks a scope
	ReasonPermission  Reason = "permission"  // lacks a permission bit
	ReasonTenant      Reason = "tenant"      // of another tenant
	ReasonSubject     Reason = "subject"     // of another account
	ReasonAttempts    Reason = "attempts"    // too many failed logins
	ReasonRate        Reason = "rate"        // too many requests
	ReasonQueue       Reason = "queue"       // the hash queue is full
	ReasonStore       Reason = "store"       // the store is out of reach
	ReasonIssuer      Reason = "issuer"      // an outside issuer's keys are out of reach
	ReasonAudience    Reason = "audience"    // a JWT that is meant for others
	ReasonKeyRing     Reason = "key_ring"    // sealed under a key that the ring lacks
	ReasonStarting    Reason = "starting"    // not ready yet
	ReasonTimeout     Reason = "timeout"     // took too long
	ReasonCleartext   Reason = "cleartext"   // a query credential without TLS
	ReasonEarlyData   Reason = "early_data"  // a login in TLS 1.3 early data
	ReasonUnsupported Reason = "unsupported" // a thing this surface lacks
)
