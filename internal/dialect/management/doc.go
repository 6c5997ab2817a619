// Package management speaks the session API with a user profile of the Babel
// Licensing management API: login, user and logout below /v1/auth.
//
// It owns that wire format: which members and content types are read, the
// envelope of every answer, the problem+json of a request that cannot be
// read, and which of a caller's two credentials counts. It knows the session
// service through [Service] and nothing of accounts, stores or time.
//
// An original of this API runs on ASP.NET Core, so paths and member names are
// matched without regard to ASCII case.
package management
