// Package sqlstore keeps everything in a SQL database. SQLite, in pure Go, is
// the flavour it speaks; what differs from one SQL variant to the next stands
// in one value, so that another is a folder of migrations and such a value.
//
// All writes of a process go through one goroutine, the committer. It takes
// whatever is waiting, runs it in one transaction and syncs once: a hundred
// logins cost one sync, a lone one waits for nobody. A caller is answered when
// its own rows are durable. Each write stands alone within the transaction,
// so that one that loses against another takes nobody with it. Should the
// transaction as a whole fail, all of its callers are told.
//
// A caller whose context ends is answered [auth.Unavailable] at once; its
// write may still be carried out. Reads run beside the writer, on connections
// of their own, and see only what is durable.
package sqlstore
