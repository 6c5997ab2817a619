package dialect_test

import (
	"bytes"
	"errors"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

var loginForm = dialect.XMLForm{Root: "Request", Text: []string{"UserLogin", "ApiKey"}, Skipped: []string{"Result"}}

const (
	johnXML = `<UserLogin>John</UserLogin><ApiKey>k</ApiKey>`
	xsiXML  = ` xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
)

var john = map[string]string{"UserLogin": "John", "ApiKey": "k"}

func request(content string) string { return "<Request>" + content + "</Request>" }

func TestReadXMLAccepts(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		want map[string]string
	}{
		"the plain form":                                   {request(johnXML), john},
		"children in the other order":                      {request(`<ApiKey>k</ApiKey><UserLogin>John</UserLogin>`), john},
		"white space between children":                     {request("\r\n\t<UserLogin>John</UserLogin>\n <ApiKey>k</ApiKey> "), john},
		"unknown children with children of their own":      {request(`<New a="1"><Deep>x<b/></Deep></New>` + johnXML + `<New/>`), john},
		"an unknown child around a known name":             {request(`<New><UserLogin>evil</UserLogin></New>` + johnXML), john},
		"an unknown child in a namespace":                  {request(`<n:New xmlns:n="urn:n"/>` + johnXML), john},
		"a known child whose content does not matter":      {request(`<Result><Code>1</Code></Result>` + johnXML), john},
		"the namespaces that .NET declares":                {`<Request` + xsiXML + ` xmlns:xsd="http://www.w3.org/2001/XMLSchema">` + johnXML + `</Request>`, john},
		"a declaration in UTF-8":                           {`<?xml version="1.0" encoding="utf-8"?>` + "\n" + request(johnXML), john},
		"a declaration in single quotes with spaces":       {`<?xml version = '1.0' encoding = 'UTF-8' standalone='yes' ?>` + request(johnXML), john},
		"a declaration in US-ASCII":                        {`<?xml version="1.0" encoding="us-ascii"?>` + request(johnXML), john},
		"a byte order mark as .NET writes it":              {"\ufeff" + `<?xml version="1.0" encoding="utf-8"?>` + request(johnXML), john},
		"a comment between elements":                       {"<!-- a -->" + request("<!-- <b> -->"+johnXML), john},
		"white space after the root":                       {request(johnXML) + "\r\n", john},
		"an empty root":                                    {`<Request/>`, map[string]string{}},
		"an empty child, which is there":                   {request(`<UserLogin></UserLogin><ApiKey/>`), map[string]string{"UserLogin": "", "ApiKey": ""}},
		"a nil child, which is absent":                     {`<Request` + xsiXML + `><UserLogin xsi:nil="true"/><ApiKey xsi:nil=" 1 "></ApiKey></Request>`, map[string]string{}},
		"a child that says it is not nil":                  {`<Request` + xsiXML + `><UserLogin xsi:nil="false">John</UserLogin><ApiKey xsi:nil="0">k</ApiKey></Request>`, john},
		"the five entities and numbers":                    {request(`<UserLogin>&lt;&gt;&amp;&apos;&quot;&#74;&#x6f;</UserLogin>`), map[string]string{"UserLogin": `<>&'"Jo`}},
		"white space in text as it stands":                 {request("<UserLogin> John\t</UserLogin>"), map[string]string{"UserLogin": " John\t"}},
		"characters of four bytes":                         {request("<UserLogin>🗝</UserLogin>"), map[string]string{"UserLogin": "🗝"}},
		"a replacement character that the client did send": {request("<UserLogin>\ufffd</UserLogin>"), map[string]string{"UserLogin": "\ufffd"}},
		"unknown attributes with a > in them":              {`<Request a=">" b='"'>` + johnXML + `</Request>`, john},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := dialect.ReadXML([]byte(c.body), loginForm)
			if err != nil || !maps.Equal(got, c.want) {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestReadXMLRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":                                  "",
		"white space alone":                        " \n",
		"JSON":                                     `{"UserLogin":"John"}`,
		"another root":                             `<Response>` + johnXML + `</Response>`,
		"the root in another case":                 `<request>` + johnXML + `</request>`,
		"the root in a default namespace":          `<Request xmlns="urn:x">` + johnXML + `</Request>`,
		"the root with a prefix":                   `<x:Request xmlns:x="urn:x">` + johnXML + `</x:Request>`,
		"a root that is nil":                       `<Request` + xsiXML + ` xsi:nil="true"/>`,
		"a second root":                            request(johnXML) + request(johnXML),
		"text after the root":                      request(johnXML) + "x",
		"a comment after the root":                 request(johnXML) + "<!-- x -->",
		"an end tag after the root":                request(johnXML) + "</Request>",
		"text before the root":                     "x" + request(johnXML),
		"a root that does not end":                 `<Request>` + johnXML,
		"a tag that does not end":                  `<Request`,
		"an end tag of another element":            `<Request>` + johnXML + `</Other>`,
		"an internal DOCTYPE":                      `<!DOCTYPE Request [<!ENTITY e "John">]>` + request(`<UserLogin>&e;</UserLogin>`),
		"a DOCTYPE that nothing uses":              `<!DOCTYPE Request>` + request(johnXML),
		"an external DOCTYPE":                      `<!DOCTYPE Request SYSTEM "http://127.0.0.1/x.dtd">` + request(johnXML),
		"a DOCTYPE inside the root":                `<Request><!DOCTYPE x>` + johnXML + `</Request>`,
		"an entity that nobody declared":           request(`<UserLogin>&e;</UserLogin>`),
		"an entity of HTML":                        request(`<UserLogin>&nbsp;</UserLogin>`),
		"a bare ampersand":                         request(`<UserLogin>a&b</UserLogin>`),
		"a reference to NUL":                       request(`<UserLogin>&#0;</UserLogin>`),
		"a reference to half a surrogate pair":     request(`<UserLogin>a&#xD800;</UserLogin>`),
		"a reference past Unicode":                 request(`<UserLogin>&#x110000;</UserLogin>`),
		"a stylesheet instruction":                 `<?xml-stylesheet href="x.xsl"?>` + request(johnXML),
		"an instruction inside":                    request(`<?php x?>` + johnXML),
		"an instruction in text":                   request(`<UserLogin>Jo<?x y?>hn</UserLogin>`),
		"a second declaration":                     `<?xml version="1.0"?><?xml version="1.0"?>` + request(johnXML),
		"a declaration after white space":          ` <?xml version="1.0"?>` + request(johnXML),
		"a declaration of version 1.1":             `<?xml version="1.1"?>` + request(johnXML),
		"a declaration without a version":          `<?xml encoding="utf-8"?>` + request(johnXML),
		"a declared UTF-7":                         `<?xml version="1.0" encoding="UTF-7"?>` + request(johnXML),
		"a declared UTF-16 with a space before =":  `<?xml version="1.0" encoding ="UTF-16"?>` + request(johnXML),
		"a declared Latin 1":                       `<?xml version="1.0" encoding="ISO-8859-1"?>` + request(johnXML),
		"UTF-16":                                   "\xff\xfe<\x00R\x00/\x00>\x00",
		"bytes above US-ASCII where declared":      `<?xml version="1.0" encoding="us-ascii"?>` + request("<UserLogin>é</UserLogin>"),
		"two byte order marks":                     "\ufeff\ufeff" + request(johnXML),
		"invalid UTF-8":                            request("<UserLogin>\xc3(</UserLogin>"),
		"invalid UTF-8 in a comment":               "<!-- \xff -->" + request(johnXML),
		"a control character":                      request("<UserLogin>a\x01</UserLogin>"),
		"a control character in a comment":         "<!-- \x00 -->" + request(johnXML),
		"a known child twice":                      request(johnXML + `<UserLogin>Jane</UserLogin>`),
		"a known child twice, nil first":           `<Request` + xsiXML + `><ApiKey xsi:nil="true"/>` + johnXML + `</Request>`,
		"a skipped child twice":                    request(`<Result/><Result/>` + johnXML),
		"an element inside text":                   request(`<UserLogin>Jo<b>evil</b>hn</UserLogin>`),
		"a comment inside text":                    request(`<UserLogin>Jo<!-- -->hn</UserLogin>`),
		"a comment in place of text":               request(`<UserLogin><!-- --></UserLogin>`),
		"a CDATA section in text":                  request(`<UserLogin><![CDATA[John]]></UserLogin>`),
		"a CDATA section in an unknown child":      request(`<New><![CDATA[x]]></New>` + johnXML),
		"text beside children":                     request("John" + johnXML),
		"a known child in a namespace":             request(`<n:UserLogin xmlns:n="urn:n">John</n:UserLogin>`),
		"a known child in a default namespace":     request(`<UserLogin xmlns="urn:n">John</UserLogin>`),
		"a known child in an undeclared namespace": request(`<n:UserLogin>John</n:UserLogin>`),
		"a known child by an undeclaring prefix":   `<Request xmlns:n="">` + `<n:UserLogin>John</n:UserLogin></Request>`,
		"an unknown child of an undeclared prefix": request(`<n:New/>` + johnXML),
		"a name with two colons":                   request(`<a:b:c xmlns:a="urn:a"/>` + johnXML),
		"a name that begins with a colon":          request(`<:New/>` + johnXML),
		"an attribute of an undeclared prefix":     request(`<UserLogin xsi:nil="true"/>`),
		"xsi:type on a known child":                `<Request` + xsiXML + `><UserLogin xsi:type="xsd:string">John</UserLogin></Request>`,
		"xsi:type on the root":                     `<Request` + xsiXML + ` xsi:type="Other">` + johnXML + `</Request>`,
		"xsi:type by another prefix":               `<Request xmlns:z="http://www.w3.org/2001/XMLSchema-instance"><New z:type="x"/></Request>`,
		"a nil child with text":                    `<Request` + xsiXML + `><UserLogin xsi:nil="true">John</UserLogin></Request>`,
		"a child neither nil nor not":              `<Request` + xsiXML + `><UserLogin xsi:nil="yes">John</UserLogin></Request>`,
		"an attribute twice":                       request(`<New a="1" a="2"/>` + johnXML),
		"an attribute twice by two prefixes":       `<Request xmlns:a="urn:n" xmlns:b="urn:n"><New a:x="1" b:x="2"/></Request>`,
		"an attribute without quotes":              request(`<New a=1/>` + johnXML),
		"a < inside an attribute":                  request(`<New a="<"/>` + johnXML),
		"depth past the bound":                     request(strings.Repeat("<d>", 20) + strings.Repeat("</d>", 20)),
		"elements past the bound":                  request(strings.Repeat("<d/>", 600)),
		"attributes past the bound":                request(strings.Repeat(`<d a="1" b="2"/>`, 100)),
	} {
		t.Run(name, func(t *testing.T) { refused(t, body) })
	}
}

// refused fails unless body is malformed for its form and yields nothing.
func refused(t *testing.T, body string) {
	t.Helper()
	values, err := dialect.ReadXML([]byte(body), loginForm)
	if err == nil || values != nil || auth.CodeOf(err) != auth.Malformed {
		t.Fatalf("got %q, %v; want it refused as malformed", values, err)
	}
	if r := auth.AsError(err).Reason; r != auth.ReasonForm && r != auth.ReasonDuplicate {
		t.Errorf("reason %q", r)
	}
}

func TestReadXMLNamesTheBadChild(t *testing.T) {
	_, err := dialect.ReadXML([]byte(request(johnXML+`<ApiKey>other</ApiKey>`)), loginForm)
	fields, ok := errors.AsType[dialect.FieldErrors](err)
	if !ok || fields[0].Field != "ApiKey" || auth.AsError(err).Reason != auth.ReasonDuplicate {
		t.Errorf("got %v", err)
	}
	if strings.Contains(err.Error(), "other") {
		t.Error("the error repeats what the client sent")
	}
}

func TestReadXMLHoldsTheDeclarationAgainstTheContentType(t *testing.T) {
	for name, c := range map[string]struct {
		charset, body string
		accepted      bool
	}{
		"both say utf-8":                       {"utf-8", `<?xml version="1.0" encoding="UTF-8"?><Request/>`, true},
		"only the content type says utf-8":     {"utf-8", `<?xml version="1.0"?><Request/>`, true},
		"only the content type says us-ascii":  {"us-ascii", `<Request/>`, true},
		"they differ":                          {"us-ascii", `<?xml version="1.0" encoding="UTF-8"?><Request/>`, false},
		"they differ the other way":            {"utf-8", `<?xml version="1.0" encoding="us-ascii"?><Request/>`, false},
		"the bytes differ from the type":       {"us-ascii", request(`<UserLogin>é</UserLogin>`), false},
		"the type says what nobody reads":      {"utf-16", `<Request/>`, false},
		"a byte order mark in said us-ascii":   {"us-ascii", "\ufeff<Request/>", false},
		"a very long declaration is no longer": {"", `<?xml version="1.0"` + strings.Repeat(" ", 300) + `?><Request/>`, false},
	} {
		t.Run(name, func(t *testing.T) {
			form := loginForm
			form.Charset = c.charset
			if _, err := dialect.ReadXML([]byte(c.body), form); (err == nil) != c.accepted {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Bombs must cost less than their bytes: refused at a bound, long before the
// end (the memory is what the parser took, whatever the machine).
func TestReadXMLRefusesBombsAtOnce(t *testing.T) {
	lol := `<!DOCTYPE lolz [<!ENTITY lol0 "lol">`
	for _, n := range "123456789" {
		lol += `<!ENTITY lol` + string(n) + ` "` + strings.Repeat("&lol"+string(n-1)+";", 10) + `">`
	}
	for name, body := range map[string]string{
		"a million nested tags":             strings.Repeat("<a>", 1_000_000),
		"a million nested tags in the root": "<Request>" + strings.Repeat("<a>", 1_000_000),
		"a million sisters":                 "<Request>" + strings.Repeat("<a/>", 1_000_000) + "</Request>",
		"200,000 attributes":                "<Request" + strings.Repeat(` a="1"`, 200_000) + "/>",
		"200,000 attributes with > in each": "<Request" + strings.Repeat(` a=">"`, 200_000) + "/>",
		"200,000 namespaces":                "<Request" + strings.Repeat(` xmlns:a="urn:a"`, 200_000) + "/>",
		"an attribute of a megabyte":        `<Request a="` + strings.Repeat("x", 1<<20) + `"/>`,
		"a name of a megabyte":              `<` + strings.Repeat("x", 1<<20) + `/>`,
		"a billion laughs":                  lol + `]><Request><UserLogin>&lol9;</UserLogin></Request>`,
		"a quadratic blow-up":               `<!DOCTYPE x [<!ENTITY a "` + strings.Repeat("a", 50_000) + `">]><Request>` + strings.Repeat("&a;", 50_000),
	} {
		t.Run(name, func(t *testing.T) {
			before := allocated()
			refused(t, body)
			taken := allocated() - before
			// 20 ms is the aim; the bound leaves room for a slow machine and
			// the race detector, and is still far from what a parser takes
			// that reads to the end. On a busy machine the quickest counts.
			took := time.Hour
			for range 5 {
				began := time.Now()
				refused(t, body)
				took = min(took, time.Since(began))
			}
			if took > 200*time.Millisecond {
				t.Errorf("took %v", took)
			}
			if extra := taken - int64(len(body)); extra > 1<<19 {
				t.Errorf("took %d bytes of memory beside the body", extra)
			}
		})
	}
}

// What cannot be imported cannot be done: the reader has no way to a file or a
// connection, whatever a body names.
func TestTheXMLReaderCannotOpenAnything(t *testing.T) {
	paths, err := filepath.Glob("xml*.go")
	if err != nil || len(paths) < 4 {
		t.Fatalf("found %q, %v", paths, err)
	}
	allowed := []string{
		"bytes", "cmp", "encoding/xml", "errors", "io", "regexp", "slices", "strings", "unicode/utf8",
		"github.com/gatehouse-auth/gatehouse/internal/auth",
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range file.Imports {
			if name, _ := strconv.Unquote(i.Path.Value); !slices.Contains(allowed, name) {
				t.Errorf("%s imports %s", path, name)
			}
		}
	}
}

// allocated returns the bytes that were ever allocated.
func allocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}

func FuzzReadXML(f *testing.F) {
	for _, seed := range []string{
		request(johnXML), `<Request/>`, "\ufeff" + `<?xml version="1.0" encoding="utf-8"?>` + request(johnXML),
		`<Request` + xsiXML + `><UserLogin xsi:nil="true"/></Request>`, request(`<UserLogin>&lt;&#x41;</UserLogin>`),
		`<!DOCTYPE a>` + request(johnXML), request(`<UserLogin><![CDATA[x]]></UserLogin>`), request(`<a:b xmlns:a="urn:a"/>`),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		values, err := dialect.ReadXML(body, loginForm)
		if err != nil {
			if values != nil || auth.CodeOf(err) != auth.Malformed {
				t.Fatalf("%q and %v", values, err)
			}
			return
		}
		rereads(t, values)
		// What is accepted ends there: a byte more is refused.
		if _, err := dialect.ReadXML(append(bytes.Clone(body), 'x'), loginForm); err == nil {
			t.Fatal("accepted with a byte behind it")
		}
	})
}

// rereads writes values as a document and reads them again.
func rereads(t *testing.T, values map[string]string) {
	t.Helper()
	content := ""
	for name, value := range values {
		content += "<" + name + ">" + escape(value) + "</" + name + ">"
	}
	again, err := dialect.ReadXML([]byte(request(content)), loginForm)
	if err != nil || !maps.Equal(values, again) {
		t.Fatalf("%q reads as %q, %v", values, again, err)
	}
}

var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#xD;").Replace
