package caddymodule

import (
	"slices"
	"strings"
	"testing"
)

// withField returns fields with one of another value.
func withField(fields []field, name, value string) []field {
	fields = slices.Clone(fields)
	for i := range fields {
		if fields[i].name == name {
			fields[i].value = value
		}
	}
	return fields
}

func TestH10MalformedFramesReachNobody(t *testing.T) {
	w, log := attackedTLS(t, "accept bearer\npublic /open/*\nidentity {\n\theader X-User-Id {http.auth.user.id}\n}")
	ann, _ := w.ann()
	_, token := w.token(annName, "")
	good := w.requestFields("/x", field{"authorization", "Bearer " + token})
	send := map[string]func([]field) string{"HTTP/2": w.frames2, "HTTP/3": w.frames3}
	for proto, send := range send {
		w.run("a good request passes, over "+proto, func(t *testing.T) {
			if status := send(good); status != "200" {
				t.Fatal(status)
			}
			if asked := log.take(); len(asked) != 1 || asked[0].Header.Get("X-User-Id") != ann.ID {
				t.Errorf("the upstream was asked %+v", asked)
			}
		})
		for name, fields := range map[string][]field{
			"two paths":                     append(slices.Clone(good[:4]), field{":path", "/open/x"}, good[4]),
			"two methods":                   append(slices.Clone(good[:4]), field{":method", "DELETE"}, good[4]),
			"two authorities":               append(slices.Clone(good[:4]), field{":authority", "evil"}, good[4]),
			"a pseudo field after a field":  append(slices.Clone(good), field{":path", "/open/x"}),
			"a path without a slash":        withField(good, ":path", "x"),
			"an empty path":                 withField(good, ":path", ""),
			"an unknown pseudo field":       append(slices.Clone(good[:4]), field{":user", "mallory"}, good[4]),
			"a field in upper case":         append(slices.Clone(good), field{"X-User-Id", "mallory"}),
			"a line break in a value":       append(slices.Clone(good), field{"x-a", "b\r\nX-User-Id: mallory"}),
			"a line break in a path":        withField(good, ":path", "/open/x HTTP/1.1\r\nX-User-Id: mallory\r\n"),
			"a line break in a name":        append(slices.Clone(good), field{"x-a\r\nx-user-id", "mallory"}),
			"a colon in a name":             append(slices.Clone(good), field{"x-user-id: mallory", "b"}),
			"a NUL in a value":              append(slices.Clone(good), field{"x-a", "b\x00c"}),
			"a transfer coding":             append(slices.Clone(good), field{"transfer-encoding", "chunked"}),
			"a line break in the authority": withField(good, ":authority", "a\r\nX-User-Id: mallory"),
			"a line break in the method":    withField(good, ":method", "GET /open/x HTTP/1.1\r\nX-User-Id: mallory\r\n\r\nGET"),
		} {
			w.run(name+" is refused, over "+proto, func(t *testing.T) {
				status := send(fields)
				if status != "reset" && !strings.HasPrefix(status, "4") {
					t.Errorf("answered %s", status)
				}
				if asked := log.take(); len(asked) != 0 {
					t.Errorf("the upstream was asked %+v", asked)
				}
			})
		}
		w.run("an absolute path is no other path, over "+proto, func(t *testing.T) {
			for _, path := range []string{"https://" + w.host() + "/open/x", "http://evil/open/x", "//evil/open/x", "/open/../x"} {
				fields := withField(good[:4], ":path", path)
				if status := send(fields); status != "400" && status != "401" && status != "reset" {
					t.Errorf("%s was answered %s", path, status)
				}
				if asked := log.take(); len(asked) != 0 {
					t.Errorf("%s: the upstream was asked %+v", path, asked)
				}
			}
		})
		w.run("a Host beside another authority does not reach the upstream, over "+proto, func(t *testing.T) {
			status := send(append(slices.Clone(good), field{"host", "evil.example"}))
			for _, r := range log.take() {
				if r.Host != w.host() || r.Header.Get("Host") != "" || r.Header.Get("X-Forwarded-Host") == "evil.example" {
					t.Errorf("answered %s; the upstream saw %s and %v", status, r.Host, r.Header)
				}
			}
		})
	}
}

// No credential of ours is a cookie; what an upstream's own cookie says arrives
// as it would over HTTP/1.1.
func TestH11CookiesInManyFieldsArriveAsOne(t *testing.T) {
	w, log := attackedTLS(t, "accept bearer")
	w.ann()
	_, token := w.token(annName, "")
	fields := w.requestFields("/x", field{"cookie", "a=1"}, field{"authorization", "Bearer " + token}, field{"cookie", "b=2"}, field{"cookie", "c=3"})
	for proto, send := range map[string]func([]field) string{"HTTP/2": w.frames2, "HTTP/3": w.frames3} {
		if status := send(fields); status != "200" {
			t.Fatalf("%s: %s", proto, status)
		}
		asked := log.take()
		if len(asked) != 1 || !slices.Equal(asked[0].Header["Cookie"], []string{"a=1; b=2; c=3"}) {
			t.Errorf("%s: the upstream was asked %+v", proto, asked)
		}
		alone := w.requestFields("/x", field{"cookie", "authorization=Bearer " + token}, field{"cookie", "token=" + token})
		if status := send(alone); status != "401" || len(log.take()) != 0 {
			t.Errorf("%s: a token in a cookie was answered %s", proto, status)
		}
	}
}
