package logintoken

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/session"
	"github.com/gatehouse-auth/gatehouse/internal/token"
)

// schemaError is the first thing that a validator of JSON Schema finds wrong,
// in the form of Ajv.
type schemaError struct {
	// InstancePath is a JSON pointer to the value at fault.
	InstancePath string         `json:"instancePath"`
	SchemaPath   string         `json:"schemaPath"`
	Keyword      string         `json:"keyword"`
	Params       map[string]any `json:"params"`
	Message      string         `json:"message"`
}

func (e *schemaError) Error() string { return "validation: " + e.Keyword + " at " + e.SchemaPath }

// failed says which keyword of the schema the value at a place fails.
func failed(at, keyword string, params map[string]any, text string) error {
	return auth.Fail(auth.Malformed, auth.ReasonForm, &schemaError{at, schemaPath(at, keyword), keyword, params, text})
}

// additional says that there is no such member at a place.
func additional(at, name string) error {
	params := map[string]any{"additionalProperty": cut(name)}
	return failed(at, "additionalProperties", params, "must NOT have additional properties")
}

// wrongType says that the value at a place is not of this type.
func wrongType(at, want string) error {
	return failed(at, "type", map[string]any{"type": want}, "must be "+want)
}

// wrongFormat says that the text at a place is not in this format.
func wrongFormat(at, want string) error {
	return failed(at, "format", map[string]any{"format": want}, `must match format "`+want+`"`)
}

// notAmong says that the value at a place is none of those that it may be.
func notAmong(at string, allowed any) error {
	return failed(at, "enum", map[string]any{"allowedValues": allowed}, "must be equal to one of the allowed values")
}

// negative says that the number at a place is below 0.
func negative(at string) error {
	return failed(at, "minimum", map[string]any{"comparison": ">=", "limit": 0}, "must be >= 0")
}

// schemaPath points to what the schema says of a place, as a fragment of a URI.
// All elements of an array have one place there.
func schemaPath(at, keyword string) string {
	var path strings.Builder
	path.WriteByte('#')
	for _, step := range strings.Split(at, "/")[1:] {
		if _, ok := index(step); ok {
			path.WriteString("/items")
			continue
		}
		path.WriteString("/properties/" + strings.ReplaceAll(step, "$", "%24"))
	}
	return path.String() + "/" + keyword
}

// member is a member of the record.
type member struct {
	name string
	// format is that of JSON Schema, "" for any text.
	format string
	// field is what the store selects it by.
	field session.Field
}

// The formats of JSON Schema.
const (
	uuidFormat = "uuid"
	dateFormat = "date-time"
)

// members are those of the record, in the order of the API's page.
var members = []member{
	{"id", uuidFormat, session.FieldID},
	{"token", "", session.FieldDigest},
	{"identityProviderId", uuidFormat, session.FieldIdentity},
	{"expiresAt", dateFormat, session.FieldExpires},
	{"createdAt", dateFormat, session.FieldIssued},
	{"updatedAt", dateFormat, session.FieldUpdated},
	{"associateUserId", uuidFormat, session.FieldAssociate},
}

// memberNames are those that $select may name.
func memberNames() []string {
	names := make([]string, len(members))
	for i, m := range members {
		names[i] = m.name
	}
	return names
}

func memberNamed(name string) (member, bool) {
	i := slices.IndexFunc(members, func(m member) bool { return m.name == name })
	if i < 0 {
		return member{}, false
	}
	return members[i], true
}

// data is what a body says of a record.
type data struct {
	texts map[string]string
	dates map[string]time.Time
	// unassociated is an associateUserId of null.
	unassociated bool
}

// decodeData reads an object of a body. All members are optional; a date or id
// that is empty counts as absent, since the API's own page sends such, and so
// does null, which means something for associateUserId alone.
func decodeData(v any) (data, error) {
	object, ok := v.(map[string]any)
	if !ok {
		return data{}, wrongType("", "object")
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if _, known := memberNamed(name); !known {
			return data{}, additional("", name)
		}
	}
	d := data{texts: map[string]string{}, dates: map[string]time.Time{}}
	for _, m := range members {
		if err := d.read(m, object); err != nil {
			return data{}, err
		}
	}
	return d, nil
}

func (d *data) read(m member, object map[string]any) error {
	v, sent := object[m.name]
	if v == nil {
		d.unassociated = d.unassociated || sent && m.field == session.FieldAssociate
		return nil
	}
	text, ok := v.(string)
	if !ok {
		return wrongType("/"+m.name, "string")
	}
	if text == "" {
		return nil
	}
	if m.format == dateFormat {
		at, err := readDate("/"+m.name, text)
		d.dates[m.name] = at
		return err
	}
	if m.format == uuidFormat {
		id, err := readUUID("/"+m.name, text)
		d.texts[m.name] = id
		return err
	}
	d.texts[m.name] = text
	return nil
}

// readUUID returns a UUID in lower case.
func readUUID(at, text string) (string, error) {
	id, ok := token.ParseGUID(text)
	if !ok {
		return "", wrongFormat(at, uuidFormat)
	}
	return id, nil
}

// readDate reads the format date-time: RFC 3339 in any case, with `T` or a
// space in the middle.
func readDate(at, text string) (time.Time, error) {
	upper := strings.ToUpper(text)
	if len(upper) > 10 && upper[10] == ' ' {
		upper = upper[:10] + "T" + upper[11:]
	}
	t, err := time.Parse(time.RFC3339, upper)
	t = t.UTC()
	if err != nil || t.Year() < 1 || t.Year() > 9999 { // what cannot be written again
		return time.Time{}, wrongFormat(at, dateFormat)
	}
	return t, nil
}

// associate returns the account that a new record names, "" for none.
func (d data) associate() string { return d.texts["associateUserId"] }

// change returns what a patch asks for. Members that nobody changes have to be
// what the record has.
func (d data) change() session.LoginTokenChange {
	c := session.LoginTokenChange{Expires: d.dates["expiresAt"]}
	if text, ok := d.texts["associateUserId"]; ok || d.unassociated {
		c.Associate = &text
	}
	c.Is = session.LoginToken{
		ID: d.texts["id"], Token: auth.NewSecret(d.texts["token"]), Identity: d.texts["identityProviderId"],
		Created: d.dates["createdAt"], Updated: d.dates["updatedAt"],
	}
	return c
}
