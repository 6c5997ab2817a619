// Package store says what is kept and what a place to keep it owes its
// callers: the rows, one narrow interface per kind of row, and the rules for
// names. It knows no clock, no cache and no policy: whether a row still counts
// is decided by those who read it.
//
// Duties of every implementation, proven by the contract in storetest:
//
//   - A row is of one realm. A method that is given a realm neither shows nor
//     touches a row of another.
//   - A write is durable when the method returns, as far as that store can.
//   - A conditional write that lost returns [auth.Conflict] and changes
//     nothing; of any number at once exactly one wins.
//   - What is absent is [auth.NotFound]; a store out of reach or a context
//     that ended is [auth.Unavailable]. No other error is the caller's doing.
//   - A write that withdraws or changes what a cached verdict may rest on
//     records a [Change] in the same transaction, and hands it to the
//     subscribers of this process before it returns.
//   - Rows are copies: a caller may change what it was given.
package store
