package dialect

import (
	"net/http"
	"testing"
)

func TestBestOffer(t *testing.T) {
	offers := []string{"application/json", "application/xml", "text/json"}
	tests := []struct {
		name, accept, want string
	}{
		{"nothing said accepts nothing by name", "", ""},
		{"a name wins", "application/xml", "application/xml"},
		{"case does not matter", "Application/XML", "application/xml"},
		{"anything is the first offer", "*/*", "application/json"},
		{"a kind is the first offer of that kind", "text/*", "text/json"},
		{"the higher quality wins", "application/json;q=0.5, application/xml;q=0.9", "application/xml"},
		{"three decimals count", "application/json;q=0.899, application/xml;q=0.9", "application/xml"},
		{"of one quality the name beats the wildcard", "*/*, application/xml", "application/xml"},
		{"of one quality the first named wins", "text/json, application/xml", "text/json"},
		{"the most specific range decides on an offer", "*/*, application/json;q=0.1", "application/xml"},
		{"quality 0 is never", "application/xml;q=0, */*", "application/json"},
		{"quality 0.000 is never too", "application/json;q=0.000", ""},
		{"all at quality 0 is none", "*/*;q=0", ""},
		{"other parameters are ignored", "application/xml;charset=utf-8;q=1.000", "application/xml"},
		{"Q is q", "application/json;Q=0, text/json", "text/json"},
		{"a quality past 1 leaves the element out", "application/xml;q=1.5, text/json;q=0.1", "text/json"},
		{"a quality that is no number leaves the element out", "application/xml;q=x, text/json;q=0.1", "text/json"},
		{"a quality of four decimals leaves the element out", "application/xml;q=0.1234, text/json;q=0.1", "text/json"},
		{"a quality of letters behind the point leaves the element out", "application/xml;q=0.1a, text/json;q=0.1", "text/json"},
		{"a wildcard kind with a subtype is nothing", "*/xml", ""},
		{"elements without a slash are nothing", "xml, , /, text/", ""},
		{"an unknown type is nothing", "image/png", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			if tt.accept != "" {
				h.Set("Accept", tt.accept)
			}
			got, ok := ParseAccept(h).Best(offers...)
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("Best = %q, %v, want %q", got, ok, tt.want)
			}
		})
	}
}

func TestAcceptFieldsAreOneList(t *testing.T) {
	h := http.Header{"Accept": {"application/json;q=0.1", "application/xml"}}
	if got, _ := ParseAccept(h).Best("application/json", "application/xml"); got != "application/xml" {
		t.Errorf("Best = %q", got)
	}
}
