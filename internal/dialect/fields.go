package dialect

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
)

// Object is a JSON object whose members are read by name. A member that is
// absent or null reads as not there; one of the wrong type reads as not there
// too and is noted, so that [Object.Err] can name all wrong members at once.
type Object struct {
	members map[string]value
	names   Names
	// path stands before the name of a member in an error, e.g. "user.".
	path string
	bad  *FieldErrors
}

// FieldError is one member that cannot be used. Its texts hold nothing that a
// client sent, so that they can be shown.
type FieldError struct {
	// Field is the path of the member as the contract spells it, e.g.
	// "user.settings[2].id".
	Field string
	// Problem completes a sentence that begins with the field, e.g. "must be
	// a string".
	Problem string
}

// FieldErrors are the members of a body that cannot be used: never none, and
// the first 32 of more.
type FieldErrors []FieldError

func (e FieldErrors) Error() string {
	texts := make([]string, len(e))
	for i, f := range e {
		texts[i] = f.Field + " " + f.Problem
	}
	return strings.Join(texts, "; ")
}

// Err returns what was noted of this object and those inside it: nil, or
// [auth.Malformed] with [FieldErrors] inside.
func (o Object) Err() error {
	if o.bad == nil || len(*o.bad) == 0 {
		return nil
	}
	return auth.Fail(auth.Malformed, auth.ReasonForm, *o.bad)
}

// maxFieldErrors bounds what is noted of one body, so that a short body has no
// long answer.
const maxFieldErrors = 32

// Reject notes that a member cannot be used. problem completes a sentence
// that begins with the member's name.
func (o Object) Reject(name, problem string) {
	if o.bad != nil && len(*o.bad) < maxFieldErrors {
		*o.bad = append(*o.bad, FieldError{o.path + name, problem})
	}
}

// Has reports whether a member is there and not null.
func (o Object) Has(name string) bool {
	_, ok := o.find(name)
	return ok
}

// Text returns a member that is a string.
func (o Object) Text(name string) (string, bool) {
	v, ok := o.typed(name, "must be a string", stringValue)
	return v.text, ok
}

// Required returns a member that is a string and not empty, and notes one
// that is missing.
func (o Object) Required(name string) string {
	text, ok := o.Text(name)
	if ok && text == "" || !o.Has(name) {
		o.Reject(name, "is required")
	}
	return text
}

// Bool returns a member that is true or false.
func (o Object) Bool(name string) (is, ok bool) {
	v, ok := o.typed(name, "must be true or false", trueValue, falseValue)
	return v.kind == trueValue, ok
}

// Int returns a member that is a whole number of 64 bits, written as one:
// `1.0` and `1e3` are none.
func (o Object) Int(name string) (int64, bool) {
	const problem = "must be a whole number"
	v, ok := o.typed(name, problem, numberValue)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil {
		o.Reject(name, problem)
		return 0, false
	}
	return n, true
}

// Object returns a member that is an object.
func (o Object) Object(name string) (Object, bool) {
	v, ok := o.typed(name, "must be an object", objectValue)
	return o.inner(name, v), ok
}

// Objects returns a member that is an array of objects. Nulls in it are left
// out, elements of another type are noted and left out.
func (o Object) Objects(name string) ([]Object, bool) {
	v, ok := o.typed(name, "must be an array", arrayValue)
	if !ok {
		return nil, false
	}
	objects := make([]Object, 0, len(v.items))
	for i, item := range v.items {
		place := fmt.Sprintf("%s[%d]", name, i)
		switch item.kind {
		case nullValue:
		case objectValue:
			objects = append(objects, o.inner(place, item))
		default:
			o.Reject(place, "must be an object")
		}
	}
	return objects, true
}

// Texts returns a member that is an array of strings. Nulls in it are left out,
// elements of another type are noted and left out.
func (o Object) Texts(name string) ([]string, bool) {
	v, ok := o.typed(name, "must be an array", arrayValue)
	if !ok {
		return nil, false
	}
	texts := make([]string, 0, len(v.items))
	for i, item := range v.items {
		switch item.kind {
		case nullValue:
		case stringValue:
			texts = append(texts, item.text)
		default:
			o.Reject(fmt.Sprintf("%s[%d]", name, i), "must be a string")
		}
	}
	return texts, true
}

// inner returns v, found at place, as an object that notes in o's list.
func (o Object) inner(place string, v value) Object {
	return Object{members: v.members, names: o.names, path: o.path + place + ".", bad: o.bad}
}

// find returns a member that is not null.
func (o Object) find(name string) (value, bool) {
	v, ok := o.members[o.names.key(name)]
	return v, ok && v.kind != nullValue
}

// typed returns a member of one of these kinds, and notes one of another.
func (o Object) typed(name, problem string, kinds ...valueKind) (value, bool) {
	v, ok := o.find(name)
	if !ok {
		return value{}, false
	}
	for _, k := range kinds {
		if v.kind == k {
			return v, true
		}
	}
	o.Reject(name, problem)
	return value{}, false
}
