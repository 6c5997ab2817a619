package session

import "github.com/gatehouse-auth/gatehouse/internal/store"

// The parts of a query of sessions, by the names that dialects see. They are
// worked out in the store.
type (
	// Query selects, orders and pages.
	Query = store.SessionQuery
	// Filter is a tree of comparisons.
	Filter = store.Filter
	// Order sorts by a field.
	Order = store.Order
	// Page is a part of a list.
	Page = store.Page
	// Field is what is compared.
	Field = store.SessionField
	// Op is how.
	Op = store.Op
)

// The fields that dialects select by.
const (
	FieldID        = store.FieldID
	FieldDigest    = store.FieldDigest
	FieldIdentity  = store.FieldIdentity
	FieldAssociate = store.FieldAssociate
	FieldIssued    = store.FieldIssued
	FieldUpdated   = store.FieldUpdated
	FieldExpires   = store.FieldExpires
)

// The comparisons.
const (
	Equal          = store.Equal
	NotEqual       = store.NotEqual
	In             = store.In
	NotIn          = store.NotIn
	Less           = store.Less
	LessOrEqual    = store.LessOrEqual
	Greater        = store.Greater
	GreaterOrEqual = store.GreaterOrEqual
)
