package dialect

import "encoding/json"

// ParseValue reads body as exactly one JSON value, as strictly as
// [ParseObject] with [ExactNames] does, for the dialects that take arrays or
// queries in JSON. It returns the types of encoding/json: map[string]any,
// []any, string, [json.Number], bool, and nil for null.
func ParseValue(body []byte) (any, error) {
	s := &scanner{in: body}
	v, err := s.document()
	if err != nil {
		return nil, err
	}
	return v.plain(), nil
}

func (v value) plain() any {
	switch v.kind {
	case falseValue, trueValue:
		return v.kind == trueValue
	case numberValue:
		return json.Number(v.text)
	case stringValue:
		return v.text
	case arrayValue:
		items := make([]any, len(v.items))
		for i, item := range v.items {
			items[i] = item.plain()
		}
		return items
	case objectValue:
		members := make(map[string]any, len(v.members))
		for name, m := range v.members {
			members[name] = m.plain()
		}
		return members
	case nullValue:
	}
	return nil
}
