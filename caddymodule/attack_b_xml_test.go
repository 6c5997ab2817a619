package caddymodule

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"unicode/utf16"
)

const xmlType = "Content-Type: application/xml"

// xmlLogin is a login over XML with something behind its two fields.
func (a *besieged) xmlLogin(inner string) string {
	return "<Request><UserLogin>ann</UserLogin><ApiKey>" + a.key + "</ApiKey>" + inner + "</Request>"
}

// badXML sends a body to all calls: the one that reads XML refuses it as such,
// the others for its type, or as no JSON.
func (a *besieged) badXML(t *testing.T, what, body string) {
	t.Helper()
	got := a.post("/api/login", body, xmlType, a.elsewhere())
	badBody(t, what, got, 400)
	if strings.Contains(got.body, canaryInFile) {
		t.Errorf("%s: the answer holds the file: %v", what, got)
	}
}

const canaryInFile = "canary-8f31c2-in-a-file"

// watched is an address whose connections are counted.
func watched(t *testing.T) (address string, connections *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections, done := new(atomic.Int64), make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String(), connections
}

// No document type, entity, inclusion or style sheet of XML is followed.
func TestB07XMLThatReadsElsewhereIsRefused(t *testing.T) {
	a := startBesieged(t)
	address, connections := watched(t)
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(canaryInFile), 0o600); err != nil {
		t.Fatal(err)
	}
	within := func(value string) string {
		return "<Request><UserLogin>" + value + "</UserLogin><ApiKey>" + a.key + "</ApiKey></Request>"
	}
	for name, body := range map[string]string{
		"an empty document type":      `<!DOCTYPE Request>` + a.xmlLogin(""),
		"an internal subset":          `<!DOCTYPE Request [<!ELEMENT Request ANY>]>` + a.xmlLogin(""),
		"an internal entity":          `<!DOCTYPE r [<!ENTITY e "ann">]>` + within("&e;"),
		"an external entity":          `<!DOCTYPE r [<!ENTITY e SYSTEM "file://` + file + `">]>` + within("&e;"),
		"an external entity by http":  `<!DOCTYPE r [<!ENTITY e SYSTEM "http://` + address + `/">]>` + within("&e;"),
		"a parameter entity":          `<!DOCTYPE r [<!ENTITY % p SYSTEM "http://` + address + `/p.dtd"> %p;]>` + within("ann"),
		"an external subset":          `<!DOCTYPE r SYSTEM "http://` + address + `/x.dtd">` + a.xmlLogin(""),
		"a public subset":             `<!DOCTYPE r PUBLIC "-//X//Y" "http://` + address + `/x.dtd">` + a.xmlLogin(""),
		"a lower-case document type":  `<!doctype Request>` + a.xmlLogin(""),
		"a document type inside":      a.xmlLogin(`<!DOCTYPE x>`),
		"an entity nobody declared":   within("&xxe;"),
		"an entity of HTML":           within("ann&nbsp;"),
		"a style sheet":               `<?xml-stylesheet href="http://` + address + `/x.xsl"?>` + a.xmlLogin(""),
		"a processing instruction":    a.xmlLogin(`<?php system("id") ?>`),
		"a document type behind":      a.xmlLogin("") + `<!DOCTYPE x>`,
		"an inclusion within a field": within(`<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file://` + file + `" parse="text"/>`),
	} {
		a.run(name, func(t *testing.T) { a.badXML(t, name, body) })
	}
	a.run("an inclusion beside the fields is an unknown element, and not followed", func(t *testing.T) {
		got := a.post("/api/login", a.xmlLogin(`<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="http://`+address+`/"/>`), xmlType)
		if got.status != http.StatusOK {
			t.Error(got)
		}
	})
	a.run("a schema's place is not looked up", func(t *testing.T) {
		body := strings.Replace(a.xmlLogin(""), "<Request>",
			`<Request xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://`+address+`/x.xsd">`, 1)
		if got := a.post("/api/login", body, xmlType); got.status != http.StatusOK {
			t.Error(got)
		}
	})
	a.run("the payloads that others collected", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(corpusFolder(t, "xxe-payloads"), "Intruder", "xxe-injection-payload-list.txt.txt"))
		if err != nil {
			t.Fatal(err)
		}
		payloads := aimed(string(text), address, file)
		if len(payloads) < 20 {
			t.Fatalf("only %d payloads found", len(payloads))
		}
		for _, p := range payloads {
			a.badXML(t, p, p)
			for _, c := range a.bodyCalls() {
				badBody(t, c.name, a.send(c, p, xmlType), 400, 415)
				badBody(t, c.name, a.send(c, p), 400)
			}
		}
	})
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

var (
	payloadHost    = regexp.MustCompile(`(https?|ftp)://[^/" >]+`)
	payloadFile    = regexp.MustCompile(`file:///[^" >]+`)
	payloadDoctype = regexp.MustCompile(`(?s)<!DOCTYPE.*?\]>`)
)

// aimed cuts a list into its payloads, which stand between empty lines, and
// points them to our address and file. Each document type also stands before a
// login.
func aimed(list, address, file string) (payloads []string) {
	list = payloadHost.ReplaceAllString(list, "http://"+address)
	list = payloadFile.ReplaceAllString(list, "file://"+file)
	for _, p := range strings.Split(list, "\n\n") {
		if p = strings.TrimSpace(p); !strings.HasPrefix(p, "<") {
			continue
		}
		payloads = append(payloads, p)
		if doctype := payloadDoctype.FindString(p); doctype != "" {
			payloads = append(payloads, doctype+"<Request><UserLogin>ann</UserLogin><ApiKey>k</ApiKey></Request>")
		}
	}
	return payloads
}

// What two parsers of XML would read in two ways is refused.
func TestB09XMLThatReadsInTwoWaysIsRefused(t *testing.T) {
	a := startBesieged(t)
	const xsi = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	good := a.xmlLogin("")
	rename := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	for name, body := range map[string]string{
		"a second root":                  good + good,
		"bytes behind the root":          good + "x",
		"a NUL behind the root":          good + "\x00",
		"an end tag behind the root":     good + "</Request>",
		"a cdata section behind":         good + "<![CDATA[x]]>",
		"text before the root":           "x" + good,
		"no root":                        "",
		"an unclosed root":               strings.TrimSuffix(good, "</Request>"),
		"crossed tags":                   strings.Replace(good, "</ApiKey></Request>", "</Request></ApiKey>", 1),
		"another root":                   strings.ReplaceAll(good, "Request", "request"),
		"an element twice":               a.xmlLogin("<UserLogin>bob</UserLogin>"),
		"an element twice, once nil":     a.xmlLogin(`<UserLogin` + xsi + ` xsi:nil="true"/>`),
		"a result twice":                 a.xmlLogin("<Result/><Result/>"),
		"a comment in a value":           rename("ann<", "an<!--x-->n<"),
		"a cdata section in a value":     rename("ann<", "<![CDATA[ann]]><"),
		"a cdata section beside":         rename("ann<", "a<![CDATA[nn]]><"),
		"an element in a value":          rename("ann<", "a<b>evil</b>nn<"),
		"an instruction in a value":      rename("ann<", "a<?x?>nn<"),
		"a foreign namespace":            rename("<UserLogin>", `<UserLogin xmlns="urn:other">`),
		"a foreign prefix":               strings.ReplaceAll(rename("<Request>", `<Request xmlns:o="urn:other">`), "UserLogin>", "o:UserLogin>"),
		"a prefix nobody declared":       strings.ReplaceAll(good, "UserLogin>", "o:UserLogin>"),
		"a root of another namespace":    rename("<Request>", `<Request xmlns="urn:other">`),
		"a declaration twice":            rename("<Request>", `<Request xmlns:o="urn:a" xmlns:o="urn:b">`),
		"an attribute twice":             rename("<UserLogin>", `<UserLogin a="1" a="2">`),
		"xsi:type":                       rename("<UserLogin>", `<UserLogin`+xsi+` xsi:type="x">`),
		"nil and not":                    rename("<UserLogin>", `<UserLogin`+xsi+` xsi:nil="true">`),
		"an xml prefix of one's own":     rename("<UserLogin>", `<UserLogin xmlns:xsi="">`),
		"text beside the elements":       a.xmlLogin("text"),
		"a NUL by number":                rename("ann<", "ann&#0;<"),
		"half a character by number":     rename("ann<", "ann&#xD800;<"),
		"a number past Unicode":          rename("ann<", "ann&#x110000;<"),
		"a control character":            rename("ann<", "ann\x01<"),
		"an unquoted attribute":          rename("<UserLogin>", `<UserLogin a=b>`),
		"an attribute without a value":   rename("<UserLogin>", `<UserLogin a>`),
		"a directive":                    rename("<UserLogin>", `<!ELEMENT x ANY><UserLogin>`),
		"a declaration in the middle":    rename("<UserLogin>", `<?xml version="1.0"?><UserLogin>`),
		"a declaration behind a space":   " " + `<?xml version="1.0"?>` + good,
		"version 1.1":                    `<?xml version="1.1"?>` + good,
		"a login of another case":        strings.ReplaceAll(good, "UserLogin", "userlogin"),
		"two comments in a row, crossed": a.xmlLogin("<!--a--b-->"),
	} {
		a.run(name, func(t *testing.T) { a.badXML(t, name, body) })
	}
	for name, body := range map[string]string{
		"itself": good, "a declaration": `<?xml version="1.0" encoding="utf-8"?>` + good, "a comment beside": a.xmlLogin("<!--x-->"),
		"other elements": a.xmlLogin("<o:x xmlns:o='urn:o'><y/></o:x>"), "a mark": "\ufeff" + good, "white space": "\n" + good + "\n",
	} {
		a.run("good is still "+name, func(t *testing.T) {
			if got := a.post("/api/login", body, xmlType); got.status != http.StatusOK {
				t.Error(got)
			}
		})
	}
}

// A body in an encoding that somebody else may read otherwise is refused.
func TestB10OtherEncodingsAreRefused(t *testing.T) {
	a := startBesieged(t)
	a.all(func(t *testing.T, c bodyCall) {
		for _, charset := range []string{
			"utf-7", "utf-16", "utf-16le", "utf-32", "ibm037", "ebcdic-cp-us", "iso-8859-1", "windows-1252", "shift_jis", "x", `""`, `"utf-8,utf-7"`,
		} {
			badBody(t, charset, a.send(c, c.body, jsonType+"; charset="+charset), 415)
		}
		for _, charset := range []string{"utf-8", "UTF-8", `"utf-8"`, "us-ascii"} {
			if got := a.send(c, c.body, jsonType+"; charset="+charset); got.status != c.ok {
				t.Errorf("%s: %v", charset, got)
			}
		}
		for _, coding := range []string{"gzip", "deflate", "br", "zstd", "identity, gzip", "x"} {
			badBody(t, coding, a.send(c, c.body, "Content-Encoding: "+coding), 415)
		}
		for name, body := range map[string]string{
			"UTF-16 LE": inUTF16(c.body, false), "UTF-16 BE": inUTF16(c.body, true), "UTF-16 with a mark": "\xff\xfe" + inUTF16(c.body, false),
			"UTF-7": "+AHs-" + c.body[1:], "Latin 1": c.withMember("\"n\":\"\xe9\""), "EBCDIC": "\xc0\x7f" + c.body,
		} {
			badBody(t, name, a.send(c, body), 400)
		}
	})
	a.run("the declaration of XML and the header agree", func(t *testing.T) {
		declared := func(encoding string) string {
			return `<?xml version="1.0" encoding="` + encoding + `"?>` + a.xmlLogin("")
		}
		for _, c := range []struct{ encoding, charset string }{
			{"utf-7", ""}, {"utf-16", ""}, {"ebcdic-cp-us", ""}, {"iso-8859-1", ""}, {"us-ascii", "utf-8"}, {"utf-8", "us-ascii"}, {"utf-16", "utf-8"},
		} {
			field := xmlType
			if c.charset != "" {
				field += "; charset=" + c.charset
			}
			badBody(t, c.encoding+" in "+c.charset, a.post("/api/login", declared(c.encoding), field), 400)
		}
		for _, body := range []string{inUTF16(declared("utf-16"), true), "\xfe\xff" + inUTF16(a.xmlLogin(""), true), "+ADw-" + a.xmlLogin("")[1:]} {
			badBody(t, body[:4], a.post("/api/login", body, xmlType), 400)
		}
		badBody(t, "a charset of XML", a.post("/api/login", a.xmlLogin(""), xmlType+"; charset=utf-16"), 415)
	})
	a.run("a form in another charset", func(t *testing.T) {
		who := basicPair(a.machine.id, a.machine.secret)
		badBody(t, "utf-7", a.post("/oauth2/token", "grant_type=client_credentials", who, "Content-Type: application/x-www-form-urlencoded; charset=utf-7"), 415)
		badBody(t, "no UTF-8", a.post("/oauth2/token", "grant_type=client_credentials&a=%ff", who, "Content-Type: application/x-www-form-urlencoded"), 400)
	})
}

func inUTF16(text string, big bool) string {
	var out strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		low, high := byte(unit), byte(unit>>8)
		if big {
			low, high = high, low
		}
		out.WriteByte(low)
		out.WriteByte(high)
	}
	return out.String()
}
