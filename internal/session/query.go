package session

import "github.com/gatehouse-auth/gatehouse/internal/store"

// Queries of sessions, by the names that dialects see. They are worked out in
// the store.
type (
	Query  = store.SessionQuery
	Filter = store.Filter
	Order  = store.Order
	Page   = store.Page
	Field  = store.SessionField
	Op     = store.Op
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
