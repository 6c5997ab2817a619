package logintoken

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-auth/gatehouse/internal/auth"
	"github.com/gatehouse-auth/gatehouse/internal/dialect"
)

// readBody reads a JSON body. One that is empty needs no content type, and may
// have one all the same: clients of this API always say JSON.
func (a *api) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	mediaType, err := dialect.ContentType(r.Header)
	if err != nil {
		return nil, err
	}
	body, err := dialect.ReadBody(w, r, a.maxBody)
	if err != nil || dialect.Blank(body) {
		return nil, err
	}
	if !isJSON(mediaType.Name) {
		return nil, auth.Fail(auth.Malformed, auth.ReasonMediaType, errors.New("the body is not said to be JSON"))
	}
	return body, nil
}

func isJSON(name string) bool {
	return name == "application/json" || strings.HasPrefix(name, "application/") && strings.HasSuffix(name, "+json")
}

// decodeCreate reads the body of a create: an object, an array of them, or
// nothing, which is an empty object.
func decodeCreate(body []byte) (list []data, many bool, err error) {
	v, err := parse(body)
	if err != nil {
		return nil, false, err
	}
	items, many := v.([]any)
	if !many {
		items = []any{v}
	}
	list = make([]data, len(items))
	for i, item := range items {
		if list[i], err = decodeData(item); err != nil {
			return nil, false, err
		}
	}
	return list, many, nil
}

// decodePatch reads the body of a patch: an object, or nothing.
func decodePatch(body []byte) (data, error) {
	v, err := parse(body)
	if err != nil {
		return data{}, err
	}
	return decodeData(v)
}

// parse reads a body as JSON. Nothing, and null, is an empty object.
func parse(body []byte) (any, error) {
	if len(body) == 0 {
		return map[string]any{}, nil
	}
	v, err := dialect.ParseValue(body)
	if err == nil && v == nil {
		v = map[string]any{}
	}
	return v, err
}
