// Package sqlstore keeps everything in a SQL database: SQLite, in pure Go, in a
// file of this machine, or PostgreSQL, which several nodes share. Queries are
// written once. What differs from one SQL variant to the next stands in a
// flavour; how statements reach the database, in an engine.
//
// All writes to a file go through one goroutine, the committer. It takes
// whatever is waiting, runs it in one transaction and syncs once: a hundred
// logins cost one sync, a lone one waits for nobody. On a server each write is a
// transaction of its own, several at once, and only logins share one. Either
// way a caller is answered when its own rows are durable, and a write that loses
// against another takes nobody with it.
//
// A write whose caller gave up, or whose outcome is unknown, is answered
// [auth.Unavailable]; it may still have been carried out. Reads run beside the
// writers, on connections of their own, and see only what is durable.
package sqlstore
