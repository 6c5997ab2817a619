// Package storetest is the contract that every store backend passes: the
// duties stated in package store, one clause each. A backend's own test calls
// [Run]; one that keeps only a part, such as sessions, calls the suites of the
// interfaces that it implements.
//
// Where the interfaces leave room, the suite decides:
//
//   - An insert keeps Version as it is given, so that the caller's copy stays
//     good for the next conditional write.
//   - Ids, names, digests and slots are unique within a realm, no further; the
//     id of an API key is never given twice, whatever was deleted or trimmed
//     or closed in between, and neither is the sequence of a change.
//   - A conditional write to a row that is gone is [auth.NotFound]. A
//     membership or key of an account or tenant that is not there is
//     [auth.NotFound], so that none outlives a delete.
//   - A list is ordered by the folded name, bytewise. Limits beyond
//     [store.MaxPage] mean that bound; negative ones are [auth.Malformed].
//   - In a filter an empty string and a zero time are null. NotEqual and NotIn
//     select exactly what Equal and In do not, null included. The ordering
//     comparisons never select null and do not take it. In of nothing selects
//     nothing. A value of another type, an unknown field or comparison, a
//     wrong number of values, and a node that is two things at once are
//     [auth.Malformed]. Strings compare bytewise, null sorts before all else,
//     and rows that Order leaves equal come in the order of id.
//   - A delete of an account or tenant records, beside its own change, one for
//     each key that goes with it, since the sessions obtained with that key go
//     too and may be another subject's. A delete or revocation that removes
//     nothing may record a change or none.
//   - What expires at an instant has expired at that instant.
//   - Text comes back as it went in or is refused as [auth.Malformed].
//   - After Close every method is [auth.Unavailable], and Close does nothing.
package storetest
