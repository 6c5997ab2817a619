package bearer_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/bearer"
)

func TestReadBearer(t *testing.T) {
	long := strings.Repeat("a", bearer.MaxValue)
	runReads(t, bearer.Spec{Kind: auth.Bearer}, map[string]readCase{
		"no field is no credential":              {request(), absent()},
		"a token is read":                        {request("Authorization: Bearer abc.DEF-1~2_3+4/5=="), token(auth.Bearer, "abc.DEF-1~2_3+4/5==")},
		"the scheme may be in any case":          {request("Authorization: bEARER abc"), token(auth.Bearer, "abc")},
		"another scheme is the upstream's":       {request("Authorization: Negotiate abc"), absent()},
		"a longer scheme is another":             {request("Authorization: BearerX abc"), absent()},
		"an empty field is no credential":        {request("Authorization: "), absent()},
		"a token of the greatest length is read": {request("Authorization: Bearer " + long), token(auth.Bearer, long)},
		"a longer one was never issued":          {request("Authorization: Bearer " + long + "a"), invalid(auth.ReasonTooLarge)},
		"two fields are malformed":               {request("Authorization: Bearer a", "Authorization: Bearer b"), malformed(auth.ReasonDuplicate)},
		"the same field twice is malformed":      {request("Authorization: Bearer a", "Authorization: Bearer a"), malformed(auth.ReasonDuplicate)},
		"a field of each scheme is malformed":    {request("Authorization: Basic YQ==", "Authorization: Bearer a"), malformed(auth.ReasonDuplicate)},
		"an empty field beside one is malformed": {request("Authorization: ", "Authorization: Bearer a"), malformed(auth.ReasonDuplicate)},
		"the scheme alone is malformed":          {request("Authorization: Bearer"), malformed(auth.ReasonForm)},
		"a tab is no space":                      {request("Authorization: Bearer\tabc"), malformed(auth.ReasonForm)},
		"a comma is no space":                    {request("Authorization: Bearer,abc"), malformed(auth.ReasonForm)},
		"two spaces are no token":                {request("Authorization: Bearer  abc"), invalid(auth.ReasonForm)},
		"two words are no token":                 {request("Authorization: Bearer abc def"), invalid(auth.ReasonForm)},
		"two joined fields are no token":         {request("Authorization: Bearer a, Bearer b"), invalid(auth.ReasonForm)},
		"padding alone is no token":              {request("Authorization: Bearer =="), invalid(auth.ReasonForm)},
		"padding within is no token":             {request("Authorization: Bearer a=b"), invalid(auth.ReasonForm)},
		"a JWS in JSON is no token":              {request(`Authorization: Bearer {"payload":"e30"}`), invalid(auth.ReasonForm)},
		"letters of other scripts are no token":  {request("Authorization: Bearer äbc"), invalid(auth.ReasonForm)},
		"a quoted token is no token":             {request(`Authorization: Bearer "abc"`), invalid(auth.ReasonForm)},
	})
}

func TestReadBasic(t *testing.T) {
	pair := func(s string) string { return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	long := strings.Repeat("k", 4000)
	runReads(t, bearer.Spec{Kind: auth.Basic}, map[string]readCase{
		"no field is no credential":        {request(), absent()},
		"the key is the username":          {request(pair("k1:")), key(auth.Basic, "k1")},
		"the colon may be missing":         {request(pair("k1")), key(auth.Basic, "k1")},
		"the password is ignored":          {request(pair("k1:secret:more")), key(auth.Basic, "k1")},
		"the scheme may be in any case":    {request("Authorization: bAsIC azE6"), key(auth.Basic, "k1")},
		"a long key is read":               {request(pair(long)), key(auth.Basic, long)},
		"any text is a key to look up":     {request(pair("k\x00'%:")), key(auth.Basic, "k\x00'%")},
		"another scheme is the upstream's": {request("Authorization: Bearer azE6"), absent()},
		"an empty username is malformed":   {request(pair(":secret")), malformed(auth.ReasonForm)},
		"nothing after the scheme":         {request("Authorization: Basic"), malformed(auth.ReasonForm)},
		"what is no base64 is malformed":   {request("Authorization: Basic k1:"), malformed(auth.ReasonForm)},
		"missing padding is malformed":     {request("Authorization: Basic azE"), malformed(auth.ReasonForm)},
		"stray bits are malformed":         {request("Authorization: Basic azF="), malformed(auth.ReasonForm)},
		"the URL alphabet is malformed":    {request("Authorization: Basic _-__"), malformed(auth.ReasonForm)},
		"a line break within is malformed": {request("Authorization: Basic az\r\nE6"), malformed(auth.ReasonForm)},
		"more after the pair is malformed": {request("Authorization: Basic azE6 x"), malformed(auth.ReasonForm)},
		"two fields are malformed":         {request(pair("k1"), pair("k1")), malformed(auth.ReasonDuplicate)},
		"a key that is too long is no key": {request(pair(strings.Repeat("k", bearer.MaxValue+1))), invalid(auth.ReasonTooLarge)},
	})
}
