package management

import (
	"encoding/base64"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
)

func TestDecodeChangeTouchesOnlyTheCallersOwn(t *testing.T) {
	c, err := decodeChange([]byte(`{"user":{"id":"x","userName":"root","roles":["admin"],"ROLES2":1,"apiKeys":[{"id":1}],"customerId":"a",
		"rank":"top","createdAt":1,"updatedAt":2,"lastLogIn":3,"passwordHash":"x","enabled":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	before, after := alice().Profile, alice().Profile
	c.Profile(&after)
	if c.Email != nil || c.Settings != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("email %v, settings %v, profile %+v", c.Email, c.Settings, after)
	}
}

func TestDecodeChangeSetsEveryMember(t *testing.T) {
	c, err := decodeChange([]byte(`{"user":{"email":"e@x","phoneNumber":"1","title":"2","firstName":"3","lastName":"4","department":"5",
		"birthDate":"2019-08-24T16:15:22.9+02:00","lastDismissMessages":"2020-01-01T00:00:00Z","image":"AQID","address":"6\n7",
		"postalCode":"8","region":"9","city":"10","country":"11","countryCode":"12","mobile":"13","notes":""}}`))
	if err != nil {
		t.Fatal(err)
	}
	p := session.Profile{Notes: "old", Rank: 3}
	c.Profile(&p)
	born, dismissed := p.BirthDate.Format("2006-01-02T15:04:05.999Z07:00"), showOptional(p.LastDismissMessages)
	if *c.Email != "e@x" || born != "2019-08-24T14:15:22Z" || *dismissed != "2020-01-01T00:00:00Z" {
		t.Errorf("email %s, born %s, dismissed %s", *c.Email, born, *dismissed)
	}
	p.BirthDate, p.LastDismissMessages = nil, nil
	want := session.Profile{
		PhoneNumber: "1", Title: "2", FirstName: "3", LastName: "4", Department: "5", Image: []byte{1, 2, 3}, Address: "6\n7",
		PostalCode: "8", Region: "9", City: "10", Country: "11", CountryCode: "12", Mobile: "13", Rank: 3,
	}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("profile %+v, want %+v", p, want)
	}
}

func TestDecodeChangeRefuses(t *testing.T) {
	tests := []struct{ name, user string }{
		{"a number for text", `{"title":1}`},
		{"text of 257 characters", `{"title":"` + strings.Repeat("é", 257) + `"}`},
		{"notes of 4097 characters", `{"notes":"` + strings.Repeat("n", 4097) + `"}`},
		{"an email of 257 characters", `{"email":"` + strings.Repeat("n", 257) + `"}`},
		{"a NUL", `{"city":"a\u0000"}`},
		{"a control of Latin-1", `{"city":"a\u0085"}`},
		{"a date without a zone", `{"birthDate":"2019-08-24T14:15:22"}`},
		{"a day", `{"birthDate":"2019-08-24"}`},
		{"an empty date", `{"birthDate":""}`},
		{"a date of another year in UTC than can be written", `{"birthDate":"9999-12-31T23:59:59-01:00"}`},
		{"a number for a date", `{"birthDate":1}`},
		{"base64 of the URL alphabet", `{"image":"_-__"}`},
		{"base64 without padding", `{"image":"AQ"}`},
		{"base64 with stray bits", `{"image":"AR=="}`},
		{"base64 with a line break", `{"image":"AQ\nID"}`},
		{"an image past the bound", `{"image":"` + base64.StdEncoding.EncodeToString(make([]byte, maxImage+1)) + `"}`},
		{"settings that are no array", `{"settings":{}}`},
		{"a setting that is no object", `{"settings":[1]}`},
		{"a setting without an id", `{"settings":[{"value":"x"}]}`},
		{"a setting with a text for an id", `{"settings":[{"id":"1","value":"x"}]}`},
		{"a setting twice", `{"settings":[{"id":1,"value":"x"},{"id":1,"value":"y"}]}`},
		{"a setting with a number for a value", `{"settings":[{"id":1,"value":2}]}`},
		{"a user that is no object", `[]`},
		{"a null user", `null`},
		{"one bad member among good ones", `{"title":"a","city":"b","mobile":false}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := decodeChange([]byte(`{"user":` + tt.user + `}`))
			if err == nil || auth.CodeOf(err) != auth.Malformed {
				t.Fatalf("error %v, want malformed", err)
			}
			if c.Email != nil || c.Profile != nil || c.Settings != nil {
				t.Error("an error came with a change")
			}
		})
	}
}

func TestNoDateOfDotNetIsNoDate(t *testing.T) {
	for _, text := range []string{"0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"} {
		c, err := decodeChange([]byte(`{"user":{"birthDate":"` + text + `"}}`))
		if err != nil {
			t.Fatal(err)
		}
		p := alice().Profile
		c.Profile(&p)
		if !p.BirthDate.Equal(*alice().Profile.BirthDate) {
			t.Errorf("%s set the date %v", text, p.BirthDate)
		}
	}
}

func FuzzDecodeChange(f *testing.F) {
	for _, seed := range []string{
		`{"user":{}}`, `{"user":null}`, `{"user":{"title":"a","notes":"b\nc","image":"AQID","birthDate":"2019-08-24T14:15:22Z"}}`,
		`{"user":{"settings":[{"id":1,"value":"x"},null,{"id":2}]}}`, `{"USER":{"Email":"a@b"}}`, `{"user":{"title":"\u0000"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := decodeChange(body)
		if err != nil {
			if c.Profile != nil || c.Email != nil || c.Settings != nil || auth.CodeOf(err) != auth.Malformed {
				t.Fatalf("error %v with a change", err)
			}
			return
		}
		var p, twice session.Profile
		c.Profile(&p)
		if p.Rank != 0 || p.CustomerID != 0 {
			t.Fatalf("a caller set rank %d, customer %d", p.Rank, p.CustomerID)
		}
		c.Profile(&twice)
		c.Profile(&twice)
		if !reflect.DeepEqual(p, twice) {
			t.Fatalf("applied twice: %+v, once: %+v", twice, p)
		}
		for _, at := range []*string{showOptional(p.BirthDate), showOptional(p.LastDismissMessages)} {
			if at != nil && len(*at) != len("2019-08-24T14:15:22Z") {
				t.Fatalf("a date would be shown as %s", *at)
			}
		}
	})
}
