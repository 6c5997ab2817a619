// Package admin is what an operator does: accounts, tenants, units, API keys
// and tokens are added, changed and withdrawn here, for the commands and for
// whatever else comes to manage a gateway.
//
// It checks what it is given, hashes passwords, mints secrets and leaves
// durability and the change feed to the store: what it withdraws is refused
// everywhere from then on. It prints nothing and asks nothing.
package admin
