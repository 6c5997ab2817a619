package redisstore

import (
	"crypto/sha1" // how a server names a script
	_ "embed"
	"encoding/hex"
)

// script is a program that the server runs as one step.
type script struct {
	text, sha string
	// reads says that it writes nothing.
	reads bool
}

//go:embed scripts/shared.lua
var shared string

var (
	//go:embed scripts/put.lua
	putText string
	//go:embed scripts/session.lua
	sessionText string
	//go:embed scripts/touch.lua
	touchText string
	//go:embed scripts/revoke.lua
	revokeText string
	//go:embed scripts/sweep.lua
	sweepText string
	//go:embed scripts/record.lua
	recordText string
	//go:embed scripts/trim.lua
	trimText string
	//go:embed scripts/permitted.lua
	permittedText string
)

// What adds rows is refused where memory is short, before it did anything. What
// withdraws or removes is not: a full server must still revoke.
const (
	adds      = "#!lua\n"
	withdraws = "#!lua flags=allow-oom\n"
	readsOnly = "#!lua flags=no-writes,allow-oom\n"
)

var (
	putScript    = newScript(adds, putText)
	touchScript  = newScript(adds, touchText)
	revokeScript = newScript(withdraws, revokeText)
	sweepScript  = newScript(withdraws, sweepText)
	recordScript = newScript(withdraws, recordText)
	trimScript   = newScript(withdraws, trimText)
	// permittedScript says at the start what would be refused later.
	permittedScript = newScript(withdraws, permittedText)
	sessionScript   = newScript(readsOnly, sessionText)
)

func newScript(first, text string) script {
	text = first + shared + text
	sum := sha1.Sum([]byte(text))
	return script{text: text, sha: hex.EncodeToString(sum[:]), reads: first == readsOnly}
}
