// Package lint finds holes in a configuration: upstreams that are reached
// without a guard, rules that open more than was meant, secrets in the file.
//
// It knows a neutral picture of the configuration ([Config]) and nothing of how
// it was written, of Caddy or of any store. What it looks for stands in one
// table, [Rules]: each rule has an id that never changes its meaning, and says
// why it is there and what to do. A configuration without findings is not
// thereby a safe one.
package lint
