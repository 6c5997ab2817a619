package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestQuestClient runs @questlabs/core against entity_token.
func TestQuestClient(t *testing.T) {
	const entity, other = "e-0123456789", "e-9876543210"
	g := newClientGateway(t, "quest")
	entityID, _ := g.made("id", "tenant", "add", entity)
	g.made("id", "tenant", "add", other)
	g.imported(entity, [2]string{"ann", "user"}, [2]string{"bob", "user"})
	g.imported("", [2]string{"admin", "user"})
	g.admin("", "account", "join", "admin", "--tenant", entity, "--role", "admin")
	_, key := g.made("key", "key", "create", "--tenant", entity)
	annID, _ := g.made("id", "account", "show", "ann")
	env := []string{"ENTITY=" + entity, "ENTITY_ID=" + entityID, "OTHER_ENTITY=" + other, "KEY=" + key, "ANN_ID=" + annID}
	for _, name := range []string{"ann", "bob", "admin"} {
		_, token := g.made("token", "token", "create", "--account", name)
		env = append(env, strings.ToUpper(name)+"_TOKEN="+token)
	}
	old := g.admin("", "token", "create", "--account", "ann", "--ttl", "1s")
	env = append(env, fmt.Sprint("OLD_TOKEN=", old["token"]), fmt.Sprint("OLD_EXPIRES=", old["expires"]))
	g.node(t, "client.mjs", env...)
}
