package rest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

var (
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	rawType         = reflect.TypeFor[json.RawMessage]()
	bytesType       = reflect.TypeFor[[]byte]()
)

// decodeValue sets v from raw, which is valid JSON. path is what errors blame:
// "" for the whole payload.
func decodeValue(raw json.RawMessage, v reflect.Value, path string) error {
	raw = bytes.TrimSpace(raw)
	if v.Type() == rawType {
		v.SetBytes(bytes.Clone(raw))
		return nil
	}
	if string(raw) == "null" {
		v.SetZero()
		return nil
	}
	if v.Kind() != reflect.Pointer && v.Addr().Type().Implements(unmarshalerType) {
		if err := v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(raw); err != nil {
			return payloadError(path, "Invalid value at '%s': %v", path, err)
		}
		return nil
	}
	if v.Type() == bytesType {
		return decodeBase64(raw, v, path)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decodeValue(raw, v.Elem(), path)
	case reflect.Struct:
		return decodeStruct(raw, v, path)
	case reflect.Map:
		return decodeMap(raw, v, path)
	case reflect.Slice:
		return decodeSlice(raw, v, path)
	}
	return decodeScalar(raw, v, path)
}

func decodeStruct(raw json.RawMessage, v reflect.Value, path string) error {
	fields := fieldsOf(v.Type())
	return eachMember(raw, path, func(name string, value json.RawMessage) error {
		i, ok := fields[name]
		if !ok {
			return unknownName(name, path, fields)
		}
		return decodeValue(value, v.Field(i), join(path, name))
	})
}

func decodeMap(raw json.RawMessage, v reflect.Value, path string) error {
	m := reflect.MakeMap(v.Type())
	err := eachMember(raw, path, func(name string, value json.RawMessage) error {
		elem := reflect.New(v.Type().Elem()).Elem()
		if err := decodeElement(value, elem, join(path, name)); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(name).Convert(v.Type().Key()), elem)
		return nil
	})
	v.Set(m)
	return err
}

func decodeSlice(raw json.RawMessage, v reflect.Value, path string) error {
	if raw[0] != '[' {
		return wrongType(raw, "list", path)
	}
	var elems []json.RawMessage
	if err := json.Unmarshal(raw, &elems); err != nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), len(elems), len(elems)))
	for i, e := range elems {
		if err := decodeElement(e, v.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	return nil
}

// decodeElement is decodeValue where null has no meaning.
func decodeElement(raw json.RawMessage, v reflect.Value, path string) error {
	if string(bytes.TrimSpace(raw)) == "null" && v.Type() != rawType {
		return wrongType(raw, typeName(v.Type()), path)
	}
	return decodeValue(raw, v, path)
}

func decodeScalar(raw json.RawMessage, v reflect.Value, path string) error {
	text := raw
	switch v.Kind() {
	case reflect.Int32, reflect.Int64, reflect.Int, reflect.Float32, reflect.Float64:
		// proto3 takes numbers in quotes as well.
		if len(raw) > 2 && raw[0] == '"' {
			text = raw[1 : len(raw)-1]
		}
	}
	if err := json.Unmarshal(text, v.Addr().Interface()); err != nil {
		return wrongType(raw, typeName(v.Type()), path)
	}
	return nil
}

// decodeBase64 reads both alphabets, padded or not: clients send back in one
// what they got in the other.
func decodeBase64(raw json.RawMessage, v reflect.Value, path string) error {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return wrongType(raw, "TYPE_BYTES", path)
	}
	s = strings.TrimRight(strings.NewReplacer("-", "+", "_", "/").Replace(s), "=")
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return payloadError(path, "Invalid value at '%s' (TYPE_BYTES), Base64 decoding failed for %s", path, raw)
	}
	v.SetBytes(b)
	return nil
}

// eachMember calls f with each name and value of the object raw, in order.
func eachMember(raw json.RawMessage, path string, f func(string, json.RawMessage) error) error {
	if raw[0] != '{' {
		return wrongType(raw, "object", path)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return err
	}
	seen := map[string]bool{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return err
		}
		name, value := tok.(string), json.RawMessage(nil)
		if err := dec.Decode(&value); err != nil {
			return err
		}
		if seen[name] {
			return payloadError(join(path, name), "Invalid JSON payload received. %q%s is given twice.", name, at(path))
		}
		seen[name] = true
		if err := f(name, value); err != nil {
			return err
		}
	}
	return nil
}

func unknownName(name, path string, fields map[string]int) error {
	hint := ""
	for known := range fields {
		if strings.EqualFold(strings.ReplaceAll(name, "_", ""), known) {
			hint = " Did you mean \"" + known + "\"?"
		}
	}
	return payloadError(path, "Invalid JSON payload received. Unknown name %q%s: Cannot find field.%s", name, at(path), hint)
}

func wrongType(raw json.RawMessage, want, path string) error {
	const most = 80
	text := string(raw)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	if path == "" {
		return payloadError("", "Invalid JSON payload received. The payload must be an %s, not %s", want, text)
	}
	return payloadError(path, "Invalid value at '%s' (%s), %s", path, want, text)
}

// typeName says in proto's words what a field takes.
func typeName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "TYPE_BOOL"
	case reflect.Int32:
		return "TYPE_INT32"
	case reflect.Int, reflect.Int64:
		return "TYPE_INT64"
	case reflect.Float32, reflect.Float64:
		return "TYPE_DOUBLE"
	case reflect.String:
		return "TYPE_STRING"
	case reflect.Slice:
		return "list"
	}
	return "object"
}

func at(path string) string {
	if path == "" {
		return ""
	}
	return " at '" + path + "'"
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fieldSets caches, per struct type, the index of the field of each JSON name.
var fieldSets sync.Map

func fieldsOf(t reflect.Type) map[string]int {
	if cached, ok := fieldSets.Load(t); ok {
		return cached.(map[string]int)
	}
	fields := map[string]int{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "-" && name != "" {
			fields[name] = f.Index[0]
		}
	}
	fieldSets.Store(t, fields)
	return fields
}
