// Package redisstore keeps sessions and the feed of their changes in Redis or
// Valkey, of version 7 or later: one server, one with sentinels, or a cluster.
//
// All of a store lives in one hash slot: its keys share a hash tag, the prefix.
// What a call of [store.Sessions] writes belongs to several subjects (a redeem
// moves a session from one account to another, a slot is unique in its realm, a
// family has many owners), and only within one slot can a script do all of it or
// nothing. In a cluster one store is therefore on one master at a time; the
// cluster makes it available, another prefix is for another store.
//
// A row is one string under the hash of its realm and id: a line of what scripts
// look at, then JSON that only this package reads. A digest and a slot are
// pointers to it; a subject, a family, a key, a tenant, an identity and the
// one-time tokens are sorted sets by Keep. Every conditional write is one script,
// which plans before it changes anything, so that a refused one leaves no trace.
//
// A revocation and its change are one script too: it counts the sequence, enters
// the change in a stream and publishes that there is news. Nodes read the stream;
// the message, which proves nothing, only has them read at once. Each change
// names the one before it: where the stream is not the continuation of what this
// process has read, the server lost writes, and everything is withdrawn
// ([store.AllChanged]) before the feed vouches for anything again.
package redisstore
