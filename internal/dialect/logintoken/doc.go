// Package logintoken speaks the login-token service of the iR Engine API, as a
// FeathersJS server does over REST: records of login tokens that are created,
// found, patched and removed; the link that trades one of them for a JWT; and
// the authentication service, which trades a password for one.
//
// It owns that wire format: the query language of Feathers beside the filter
// of the API's page, the schema errors of its validator, its error objects,
// dates in whole seconds. Who may see which record, and that a token is traded
// once, is the session service's business, see [Service]; queries are handed
// on to it whole and worked out in the store.
package logintoken
