package caddymodule

import (
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

var testRedactor = &redactor{own: credentialNames{headers: newNameSet("X-Licence"), params: newNameSet("licence", "auth[k 1]")}}

func TestScrub(t *testing.T) {
	const R = auth.Redacted
	for _, c := range []struct{ name, in, want string }{
		{"text without a parameter stays", "/v1/things/42", "/v1/things/42"},
		{"other parameters stay", "/v1/things?page=2&sort=name#top", "/v1/things?page=2&sort=name#top"},
		{"the value of a token goes", "/v1/things?token=abc&page=2", "/v1/things?token=" + R + "&page=2"},
		{"the name matches in any case", "/?ToKeN=abc", "/?ToKeN=" + R},
		{"an escaped name is the same name", "/?to%6ben=abc", "/?to%6ben=" + R},
		{"a Kelvin sign is a k", "/?to%E2%84%AAen=abc", "/?to%E2%84%AAen=" + R},
		{"a space around the name means nothing", "/?%20token+=abc", "/?%20token+=" + R},
		{"a name in one's own list goes", "/?licence=abc", "/?licence=" + R},
		{"punctuation in a name is one", "/?access-token=abc&API_KEY=def", "/?access-token=" + R + "&API_KEY=" + R},
		{"every one of several goes", "/?token=a&token=b", "/?token=" + R + "&token=" + R},
		{"a value with an equals sign goes whole", "/?apikey=hDn/LFXIPESM036W+s7VKg==&x=1", "/?apikey=" + R + "&x=1"},
		{"a value does not end at a semicolon", "/?token=abc;def", "/?token=" + R},
		{"a value does not end at a fragment or quote", "/?token=a#b\"c", "/?token=" + R},
		{"a pair behind a semicolon is seen", "/?page=1;token=abc", "/?page=1;token=" + R},
		{"an empty value stays", "/?token=&page=2", "/?token=&page=2"},
		{"a malformed escape hides nothing", "/?token=%zz&x=%", "/?token=" + R + "&x=%"},
		{"a bare query is read too", "token=abc", "token=" + R},
		{"a sentence that quotes a URL is read", `Get "http://up/?token=abc": EOF`, `Get "http://up/?token=` + R + ` EOF`},
		{"a URL in a parameter goes with its token", "/login?next=https%3A%2F%2Fa%2F%3Ftoken%3Dabc&x=1", "/login?next=" + R + "&x=1"},
		{"a URL in a URL in a parameter too", "/?next=%2F%3Fback%3D%252F%253Ftoken%253Dabc", "/?next=" + R},
		{"a URL in the path too", "/go/%2F%3Ftoken%3Dabc", R},
		{"a harmless URL in a parameter stays", "/?next=https%3A%2F%2Fa%2F%3Fpage%3D2", "/?next=https%3A%2F%2Fa%2F%3Fpage%3D2"},
		{"the user of a URL goes", "https://bob:secret@example.com/x", "https://" + R + "@example.com/x"},
		{"an address is not a user", "https://example.com/@bob?mail=a@b.example", "https://example.com/@bob?mail=a@b.example"},
		{"the user of a URL in a parameter goes", "/?next=https%3A%2F%2Fkey%40a%2F", "/?next=" + R},
		{"an element of a list goes", "/?token[]=abc&x[]=1", "/?token[]=" + R + "&x[]=1"},
		{"a numbered element goes", "/?Token%5B0%5D=abc", "/?Token%5B0%5D=" + R},
		{"a member of a group goes", "/?user[password]=abc&user[name]=bob", "/?user[password]=" + R + "&user[name]=bob"},
		{"punctuation around a name means nothing", "/?token[=a&{token}=b&\"token\"=c", "/?token[=" + R + "&{token}=" + R + "&\"token\"=" + R},
		{"a NUL behind a name means nothing", "/?token%00=abc", "/?token%00=" + R},
		{"an escaped edge is one", "http://a/x%3Ftoken%20=abc", "http://a/x%3Ftoken%20=" + R},
		{"a configured name may have brackets", "/?auth[k 1]=abc", "/?auth[k 1]=" + R},
		{"a folder of that name is no parameter", "/token/x?page=2", "/token/x?page=2"},
		{"an element of another list stays", "/?a=token&b[c]=1", "/?a=token&b[c]=1"},
		{"a space in a request target ends nothing", "/x?token= abc def&x=1", "/x?token=" + R + "&x=1"},
		{"JSON with a token goes", "/x?filter=%7B%22id%22%3A%221%22%2C%22token%22%3A%22abc%22%7D&x=1", "/x?filter=" + R + "&x=1"},
		{"JSON as it is goes too", `/x?filter={"Token":"abc"}`, "/x?filter=" + R},
		{"JSON with spaces goes too", "/x?filter=%7B%22token%22+%3A%22abc%22%7D", "/x?filter=" + R},
		{"JSON without a token stays", "/x?filter=%7B%22id%22%3A%22token%22%7D", "/x?filter=%7B%22id%22%3A%22token%22%7D"},
		{"a space ends a value", "token=abc and more", "token=" + R + " and more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := testRedactor.scrub(c.in); got != c.want {
				t.Errorf("scrub(%q)\n got %q\nwant %q", c.in, got, c.want)
			}
		})
	}
}

func TestScrubTakesTimeInProportionToItsText(t *testing.T) {
	for _, hostile := range []string{"=", "a=", "&", "%", "%25", "://@", "?token", "token=%3D"} {
		text := strings.Repeat(hostile, (1<<20)/len(hostile))
		// Anything worse than linear would run into the test's time limit.
		testRedactor.scrub(text)
	}
}

func TestHidesKey(t *testing.T) {
	for key, want := range map[string]bool{
		"Authorization": true, "x-api-key": true, "X_API_KEY": true, "HTTP_X_API_KEY": true,
		"Entity-Authentication-Token": true, "x-licence": true, "HTTP_X_LICENCE": true,
		"X-Forwarded-For": false, "user_id": false, "token_id": false, "HTTP_": false, "": false, "uri": false,
		strings.Repeat("x", 1000): false,
	} {
		if got := testRedactor.hidesKey(key); got != want {
			t.Errorf("hidesKey(%q) = %v, want %v", key, got, want)
		}
	}
}

func TestRegisterCredentialNames(t *testing.T) {
	before := registered.Load()
	t.Cleanup(func() { registered.Store(before) })
	hide := new(redactor)
	if hide.hidesKey("X-Registered-Later") {
		t.Fatal("hidden before it was registered")
	}
	if err := registerCredentialNames([]string{"X-Registered-Later", ""}, []string{"Later"}); err != nil {
		t.Fatal(err)
	}
	t.Run("an encoder that is older than the names hides them", func(t *testing.T) {
		if !hide.hidesKey("x-registered-later") || hide.scrub("/?later=abc") == "/?later=abc" {
			t.Error("shown")
		}
	})
	t.Run("a token in the path of a link goes, and an id stays", func(t *testing.T) {
		if err := registerCredentialNames(nil, nil, "/login", "/authentication"); err != nil {
			t.Fatal(err)
		}
		const hex, id = "/login/0123456789abcdef0123456789abcdef", "/login/11111111-1111-4111-8111-111111111111?x=1"
		for in, want := range map[string]string{
			hex: "/login/" + auth.Redacted, id: id, "https://a" + hex + "/": "https://a/login/" + auth.Redacted + "/",
			"/?next=https%3A%2F%2Fa%2Flogin%2F0123456789abcdef0123456789abcdef": "/?next=" + auth.Redacted,
		} {
			if got := hide.scrub(in); got != want {
				t.Errorf("scrub(%q) = %q, want %q", in, got, want)
			}
		}
	})
	t.Run("what is always hidden stays hidden", func(t *testing.T) {
		if !hide.hidesKey("Authorization") || !hide.hidesParam("token") {
			t.Error("shown")
		}
	})
	t.Run("names past the bound are an error, and none is added", func(t *testing.T) {
		many := make([]string, maxCredentialNames+1)
		for i := range many {
			many[i] = "X-Many-" + strings.Repeat("y", i)
		}
		if registerCredentialNames(many, nil) == nil {
			t.Error("accepted")
		}
		if hide.hidesKey("X-Many-y") {
			t.Error("added")
		}
	})
}

func TestHidingANameDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		testRedactor.hidesKey("X-Forwarded-For")
		testRedactor.scrub("/v1/things/42")
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzScrub holds scrub to this: no secret that stands as a credential in a
// query comes out, whatever is around it.
func FuzzScrub(f *testing.F) {
	f.Add("/v1/things?page=2", "&x=1")
	f.Add("https://bob:x@a/?next=%2F%3F", "")
	f.Add("%3Ftoken%3D", "%")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "5e0f3c52a1b84d6c"
		if strings.Contains(before+after, secret[:6]) {
			t.Skip()
		}
		got := testRedactor.scrub(before + "?token=" + secret + "&" + after)
		if strings.Contains(got, secret) {
			t.Errorf("shown: %q", got)
		}
		if again := testRedactor.scrub(got); strings.Contains(again, secret) {
			t.Errorf("shown again: %q", again)
		}
	})
}
