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
		"white space before it is malformed":     {request("Authorization:  \tBearer abc"), malformed(auth.ReasonForm)},
		"white space behind it is malformed":     {request("Authorization: Bearer abc\t"), malformed(auth.ReasonForm)},
		"the scheme JWT is the upstream's":       {request("Authorization: JWT abc"), absent()},
		"a bare token is the upstream's":         {request("Authorization: abc"), absent()},
	})
}

func TestReadLenientBearer(t *testing.T) {
	got := func(text string) want { return token(auth.Bearer, text) }
	long := strings.Repeat("a", bearer.MaxValue)
	runReads(t, bearer.Spec{Kind: auth.Bearer, Lenient: true}, map[string]readCase{
		"no field is no credential":              {request(), absent()},
		"an empty field is no credential":        {request("Authorization: "), absent()},
		"white space is no credential":           {request("Authorization:  \t "), absent()},
		"the scheme Bearer is read":              {request("Authorization: Bearer a.b.c"), got("a.b.c")},
		"the scheme JWT is read":                 {request("Authorization: JWT a.b.c"), got("a.b.c")},
		"it may be in any case":                  {request("Authorization: jWt a.b.c"), got("a.b.c")},
		"a bare token is read":                   {request("Authorization: a.b-c_d~e/f+g=="), got("a.b-c_d~e/f+g==")},
		"a bare token may begin like a scheme":   {request("Authorization: Bearer.jwt.c"), got("Bearer.jwt.c")},
		"a bare token may begin like the other":  {request("Authorization: jwtbearer"), got("jwtbearer")},
		"a bare token of the greatest length":    {request("Authorization: " + long), got(long)},
		"a longer one was never issued":          {request("Authorization: " + long + "a"), invalid(auth.ReasonTooLarge)},
		"a longer one with a scheme neither":     {request("Authorization: JWT " + long + "a"), invalid(auth.ReasonTooLarge)},
		"another scheme is the upstream's":       {request("Authorization: Basic azE6"), absent()},
		"a scheme that holds ours is another":    {request("Authorization: XJWT a.b.c"), absent()},
		"a scheme that begins like it is too":    {request("Authorization: JWT2 a.b.c"), absent()},
		"parameters are another scheme's":        {request(`Authorization: Digest username="a", nonce="b"`), absent()},
		"a tab ends another scheme too":          {request("Authorization: Digest\tabc"), absent()},
		"two joined fields are another scheme's": {request("Authorization: a.b.c, d.e.f"), absent()},
		"two joined ones of ours are no token":   {request("Authorization: JWT a.b.c, JWT d.e.f"), invalid(auth.ReasonForm)},
		"two joined without a space are none":    {request("Authorization: a.b.c,d.e.f"), invalid(auth.ReasonForm)},
		"a quoted bare token is no token":        {request(`Authorization: "abc"`), invalid(auth.ReasonForm)},
		"letters of other scripts are no token":  {request("Authorization: äbc"), invalid(auth.ReasonForm)},
		"the scheme alone is malformed":          {request("Authorization: JWT"), malformed(auth.ReasonForm)},
		"the other alone is malformed":           {request("Authorization: Bearer"), malformed(auth.ReasonForm)},
		"a tab is no space":                      {request("Authorization: JWT\tabc"), malformed(auth.ReasonForm)},
		"a comma is no space":                    {request("Authorization: JWT,abc"), malformed(auth.ReasonForm)},
		"two spaces are no token":                {request("Authorization: JWT  abc"), invalid(auth.ReasonForm)},
		"two words are no token":                 {request("Authorization: JWT abc def"), invalid(auth.ReasonForm)},
		"two fields are malformed":               {request("Authorization: JWT a", "Authorization: Bearer b"), malformed(auth.ReasonDuplicate)},
		"a field of another scheme too":          {request("Authorization: Basic YQ==", "Authorization: a.b.c"), malformed(auth.ReasonDuplicate)},
		"white space before it is malformed":     {request("Authorization:  a.b.c"), malformed(auth.ReasonForm)},
		"white space behind it is malformed":     {request("Authorization: a.b.c\t"), malformed(auth.ReasonForm)},
		"white space before JWT is malformed":    {request("Authorization: \tJWT a.b.c"), malformed(auth.ReasonForm)},
	})
}

func TestReadBearerThatMayBeAKey(t *testing.T) {
	either := func(text string) want { return want{c: bearer.Credential{Kind: auth.Bearer, Token: text, Key: text}} }
	for name, lines := range map[string]func(string) string{
		"with a scheme": func(text string) string { return "Authorization: Bearer " + text },
		"without one":   func(text string) string { return "Authorization: " + text },
	} {
		t.Run(name, func(t *testing.T) {
			runReads(t, bearer.Spec{Kind: auth.Bearer, Lenient: true, Keys: true}, map[string]readCase{
				"a text may be either":            {request(lines("api_k1")), either("api_k1")},
				"one dot is no JWT":               {request(lines("a.b")), either("a.b")},
				"three dots are no JWT":           {request(lines("a.b.c.d")), either("a.b.c.d")},
				"a JWT is no key":                 {request(lines("a.b.c")), token(auth.Bearer, "a.b.c")},
				"empty parts are the form of one": {request(lines("a..")), token(auth.Bearer, "a..")},
				"what is no token is no key":      {request(lines(`"k1"`)), invalid(auth.ReasonForm)},
			})
		})
	}
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
		"white space around is malformed":  {request("Authorization:  Basic azE6"), malformed(auth.ReasonForm)},
		"two fields are malformed":         {request(pair("k1"), pair("k1")), malformed(auth.ReasonDuplicate)},
		"a key that is too long is no key": {request(pair(strings.Repeat("k", bearer.MaxValue+1))), invalid(auth.ReasonTooLarge)},
	})
}
