package bearer_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

func TestReadAPIKey(t *testing.T) {
	runReads(t, bearer.Spec{Kind: auth.APIKey}, map[string]readCase{
		"no field is no credential":        {request(), absent()},
		"an empty field is no credential":  {request("X-Api-Key: "), absent()},
		"the key is read":                  {request("x-api-key: k1"), key(auth.APIKey, "k1")},
		"any text is a key to look up":     {request("X-API-KEY: k 1'%_*ä"), key(auth.APIKey, "k 1'%_*ä")},
		"two fields are malformed":         {request("x-api-key: k1", "X-Api-Key: k2"), malformed(auth.ReasonDuplicate)},
		"an empty second one is malformed": {request("x-api-key: k1", "X-Api-Key: "), malformed(auth.ReasonDuplicate)},
		"a longer one was never issued":    {request("X-Api-Key: " + strings.Repeat("k", bearer.MaxValue+1)), invalid(auth.ReasonTooLarge)},
		"another field is another's":       {request("Apikey: k1", "X-Api-Key-2: k2"), absent()},
	})
	runReads(t, bearer.Spec{Kind: auth.APIKey, Name: "x-acme-key"}, map[string]readCase{
		"a configured field is read":      {request("X-ACME-KEY: k1", "X-Api-Key: k2"), key(auth.APIKey, "k1")},
		"the default one is not read too": {request("X-Api-Key: k2"), absent()},
	})
}

func TestReadKeyUserToken(t *testing.T) {
	all := bearer.Credential{Kind: auth.KeyUserToken, Key: "k", User: "u", Token: "t"}
	entity := bearer.Credential{Kind: auth.KeyUserToken, Key: "k", Entity: "e"}
	both := bearer.Credential{Kind: auth.KeyUserToken, Key: "k", User: "u", Token: "t", Entity: "e"}
	partly := bearer.Credential{Kind: auth.KeyUserToken, Key: "k", User: "u", Entity: "e"}
	runReads(t, bearer.Spec{Kind: auth.KeyUserToken}, map[string]readCase{
		"no field is no credential":            {request(), absent()},
		"empty fields are no credential":       {request("apikey: ", "userid: ", "token: "), absent()},
		"the three are read":                   {request("apikey: k", "userid: u", "token: t"), want{c: all}},
		"names may be in any case":             {request("apiKey: k", "userId: u", "TOKEN: t"), want{c: all}},
		"an entity token stands in":            {request("apikey: k", "entity-authentication-token: e"), want{c: entity}},
		"all that was sent is handed on":       {request("apikey: k", "userid: u", "token: t", "entity-authentication-token: e"), want{c: both}},
		"a user beside an entity token too":    {request("apikey: k", "userid: u", "token: ", "entity-authentication-token: e"), want{c: partly}},
		"the key alone is a wrong one":         {request("apikey: k"), invalid(auth.ReasonMismatch)},
		"without the key it is a wrong one":    {request("userid: u", "token: t"), invalid(auth.ReasonMismatch)},
		"without the user it is a wrong one":   {request("apikey: k", "token: t"), invalid(auth.ReasonMismatch)},
		"without the token it is a wrong one":  {request("apikey: k", "userid: u"), invalid(auth.ReasonMismatch)},
		"an entity token alone is a wrong one": {request("entity-authentication-token: e"), invalid(auth.ReasonMismatch)},
		"two keys are malformed":               {request("apikey: k", "apikey: k", "userid: u", "token: t"), malformed(auth.ReasonDuplicate)},
		"two users are malformed":              {request("apikey: k", "userid: u", "userid: v", "token: t"), malformed(auth.ReasonDuplicate)},
		"two tokens are malformed":             {request("apikey: k", "userid: u", "token: t", "token: t"), malformed(auth.ReasonDuplicate)},
		"two entity tokens are malformed":      {request("apikey: k", "Entity-Authentication-Token: e", "entity-authentication-token: f"), malformed(auth.ReasonDuplicate)},
		"a part that is too long is no part":   {request("apikey: k", "token: t", "userid: "+strings.Repeat("u", bearer.MaxValue+1)), invalid(auth.ReasonTooLarge)},
	})
}

func TestAnUnknownKindReadsNothing(t *testing.T) {
	_, present, err := bearer.Spec{Kind: "cookie"}.Read(request("Cookie: a=b"))
	if e := auth.AsError(err); present || e == nil || e.Code != auth.Internal {
		t.Errorf("got %v, %v", present, err)
	}
}
