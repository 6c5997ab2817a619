package caddymodule

import (
	"bytes"
	"encoding/json"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"go.uber.org/zap/zapcore"
)

// objectEncoder hides credentials in what it hands to another encoder, at
// every depth. Numbers, times and booleans pass: no credential is one.
type objectEncoder struct {
	zapcore.ObjectEncoder
	hide *redactor
}

func (e objectEncoder) AddString(key, value string) {
	if e.hide.hidesKey(key) {
		value = auth.Redacted
	}
	e.ObjectEncoder.AddString(key, e.hide.scrub(value))
}

func (e objectEncoder) AddByteString(key string, value []byte) {
	if e.hide.hidesKey(key) {
		value = []byte(auth.Redacted)
	}
	e.ObjectEncoder.AddByteString(key, []byte(e.hide.scrub(string(value))))
}

func (e objectEncoder) AddBinary(key string, value []byte) {
	if e.hide.hidesKey(key) {
		e.ObjectEncoder.AddString(key, auth.Redacted)
		return
	}
	e.ObjectEncoder.AddBinary(key, value)
}

func (e objectEncoder) AddArray(key string, value zapcore.ArrayMarshaler) error {
	if e.hide.hidesKey(key) {
		return e.ObjectEncoder.AddArray(key, redactedArray{})
	}
	return e.ObjectEncoder.AddArray(key, array{value, e.hide})
}

func (e objectEncoder) AddObject(key string, value zapcore.ObjectMarshaler) error {
	if e.hide.hidesKey(key) {
		e.ObjectEncoder.AddString(key, auth.Redacted)
		return nil
	}
	return e.ObjectEncoder.AddObject(key, object{value, e.hide})
}

func (e objectEncoder) AddReflected(key string, value any) error {
	if e.hide.hidesKey(key) {
		e.ObjectEncoder.AddString(key, auth.Redacted)
		return nil
	}
	return e.ObjectEncoder.AddReflected(key, e.hide.reflected(value))
}

// arrayEncoder does for array elements what objectEncoder does for fields.
type arrayEncoder struct {
	zapcore.ArrayEncoder
	hide *redactor
}

func (e arrayEncoder) AppendString(value string) { e.ArrayEncoder.AppendString(e.hide.scrub(value)) }

func (e arrayEncoder) AppendByteString(value []byte) {
	e.ArrayEncoder.AppendByteString([]byte(e.hide.scrub(string(value))))
}

func (e arrayEncoder) AppendArray(value zapcore.ArrayMarshaler) error {
	return e.ArrayEncoder.AppendArray(array{value, e.hide})
}

func (e arrayEncoder) AppendObject(value zapcore.ObjectMarshaler) error {
	return e.ArrayEncoder.AppendObject(object{value, e.hide})
}

func (e arrayEncoder) AppendReflected(value any) error {
	return e.ArrayEncoder.AppendReflected(e.hide.reflected(value))
}

// object and array put their encoder between a marshaler and the one it is
// given, when it is asked: fields are marshaled lazily.
type object struct {
	zapcore.ObjectMarshaler
	hide *redactor
}

func (o object) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	return o.ObjectMarshaler.MarshalLogObject(objectEncoder{enc, o.hide})
}

type array struct {
	zapcore.ArrayMarshaler
	hide *redactor
}

func (a array) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	return a.ArrayMarshaler.MarshalLogArray(arrayEncoder{enc, a.hide})
}

// redactedArray stands in for the values of a hidden header field.
type redactedArray struct{}

func (redactedArray) MarshalLogArray(enc zapcore.ArrayEncoder) error {
	enc.AppendString(auth.Redacted)
	return nil
}

// redactedFields are the fields of one entry.
type redactedFields struct {
	fields []zapcore.Field
	hide   *redactor
}

func (f redactedFields) MarshalLogObject(enc zapcore.ObjectEncoder) error {
	hiding := objectEncoder{enc, f.hide}
	for _, field := range f.fields {
		field.AddTo(hiding)
	}
	return nil
}

// reflected returns a value that other encoders would look into by
// reflection, as plain JSON without credentials. One that is no JSON is
// hidden whole.
func (r *redactor) reflected(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		return auth.Redacted
	}
	var tree any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if dec.Decode(&tree) != nil {
		return auth.Redacted
	}
	return r.tree(tree)
}

func (r *redactor) tree(node any) any {
	switch node := node.(type) {
	case string:
		return r.scrub(node)
	case []any:
		for i, element := range node {
			node[i] = r.tree(element)
		}
	case map[string]any:
		for key, member := range node {
			if r.hidesKey(key) {
				node[key] = auth.Redacted
				continue
			}
			node[key] = r.tree(member)
		}
	}
	return node
}
