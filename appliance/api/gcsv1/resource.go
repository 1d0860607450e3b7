package gcsv1

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth/storage/object"
)

// objectJSON writes objects as the API shows them, with the fields that a mask
// asks for.
type objectJSON struct {
	// base is the beginning of links, scheme and host, as JSON has it.
	base     string
	fields   []objectField
	metadata mask
	// path is the object's below base, if it has been asked for.
	path string
}

// objectField is a field of the API's resource. add appends its value as JSON,
// or nothing if the object has none.
type objectField struct {
	name string
	add  func(b []byte, j *objectJSON, o *object.Object) []byte
}

var objectFields = []objectField{
	{"kind", func(b []byte, _ *objectJSON, _ *object.Object) []byte { return append(b, `"storage#object"`...) }},
	{"id", func(b []byte, _ *objectJSON, o *object.Object) []byte {
		return appendText(b, o.Bucket+"/"+o.Name+"/"+strconv.FormatInt(o.Generation, 10))
	}},
	{"selfLink", func(b []byte, j *objectJSON, o *object.Object) []byte {
		return append(append(append(append(b, '"'), j.base...), j.pathOf(o)...), '"')
	}},
	{"mediaLink", func(b []byte, j *objectJSON, o *object.Object) []byte {
		b = append(append(append(append(b, '"'), j.base...), "/download"...), j.pathOf(o)...)
		return append(strconv.AppendInt(append(b, "?generation="...), o.Generation, 10), `&alt=media"`...)
	}},
	{"name", textField(func(o *object.Object) string { return o.Name })},
	{"bucket", textField(func(o *object.Object) string { return o.Bucket })},
	{"generation", numberField(func(o *object.Object) int64 { return o.Generation })},
	{"metageneration", numberField(func(o *object.Object) int64 { return o.Metageneration })},
	{"contentType", textField(func(o *object.Object) string { return o.ContentType })},
	{"contentEncoding", textField(func(o *object.Object) string { return o.ContentEncoding })},
	{"contentDisposition", textField(func(o *object.Object) string { return o.ContentDisposition })},
	{"contentLanguage", textField(func(o *object.Object) string { return o.ContentLanguage })},
	{"cacheControl", textField(func(o *object.Object) string { return o.CacheControl })},
	{"storageClass", textField(storageClass)},
	{"size", numberField(func(o *object.Object) int64 { return o.Size })},
	{"md5Hash", func(b []byte, _ *objectJSON, o *object.Object) []byte {
		if o.MD5 == nil {
			return b
		}
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), o.MD5), '"')
	}},
	{"crc32c", func(b []byte, _ *objectJSON, o *object.Object) []byte {
		if o.NoCRC32C {
			return b
		}
		return append(append(append(b, '"'), object.FormatCRC32C(o.CRC32C)...), '"')
	}},
	{"componentCount", func(b []byte, _ *objectJSON, o *object.Object) []byte {
		if o.Components == 0 {
			return b
		}
		return strconv.AppendInt(b, int64(o.Components), 10)
	}},
	{"etag", func(b []byte, _ *objectJSON, o *object.Object) []byte {
		return append(appendEtag(append(b, '"'), o.Generation, o.Metageneration), '"')
	}},
	{"timeCreated", timeField(func(o *object.Object) time.Time { return o.Created })},
	{"updated", timeField(func(o *object.Object) time.Time { return o.Updated })},
	{"timeStorageClassUpdated", timeField(func(o *object.Object) time.Time { return o.Created })},
	{"timeFinalized", timeField(func(o *object.Object) time.Time { return o.Created })},
	{"customTime", timeField(func(o *object.Object) time.Time { return o.CustomTime })},
	{"metadata", func(b []byte, j *objectJSON, o *object.Object) []byte { return appendMap(b, o.Metadata, j.metadata) }},
}

func textField(of func(*object.Object) string) func([]byte, *objectJSON, *object.Object) []byte {
	return func(b []byte, _ *objectJSON, o *object.Object) []byte {
		if s := of(o); s != "" {
			b = appendText(b, s)
		}
		return b
	}
}

func numberField(of func(*object.Object) int64) func([]byte, *objectJSON, *object.Object) []byte {
	return func(b []byte, _ *objectJSON, o *object.Object) []byte {
		return append(strconv.AppendInt(append(b, '"'), of(o), 10), '"')
	}
}

func timeField(of func(*object.Object) time.Time) func([]byte, *objectJSON, *object.Object) []byte {
	return func(b []byte, _ *objectJSON, o *object.Object) []byte {
		t := of(o)
		if t.IsZero() {
			return b
		}
		return append(appendTime(append(b, '"'), t), '"')
	}
}

func storageClass(o *object.Object) string {
	if o.StorageClass == "" {
		return defaultStorageClass
	}
	return o.StorageClass
}

func (j *objectJSON) pathOf(o *object.Object) string {
	if j.path == "" {
		j.path = "/storage/v1/b/" + url.PathEscape(o.Bucket) + "/o/" + url.PathEscape(o.Name)
	}
	return j.path
}

// appendMap appends what m asks for of a map; nothing if it is empty.
func appendMap(b []byte, values map[string]string, m mask) []byte {
	if len(values) == 0 {
		return b
	}
	b = append(b, '{')
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if _, ok := m.of(k); !ok {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendText(b, k), ':')
		b = appendText(b, values[k])
	}
	return append(b, '}')
}

// newObjectJSON picks the fields that m asks for.
func newObjectJSON(base string, m mask) *objectJSON {
	j := &objectJSON{base: strings.Trim(string(appendText(nil, base)), `"`), fields: make([]objectField, 0, len(objectFields))}
	for _, f := range objectFields {
		if _, ok := m.of(f.name); ok {
			j.fields = append(j.fields, f)
		}
	}
	j.metadata, _ = m.of("metadata")
	return j
}

func (j *objectJSON) add(b []byte, o *object.Object) []byte {
	b, j.path = append(b, '{'), ""
	for _, f := range j.fields {
		before := len(b)
		if b[before-1] != '{' {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, f.name...)
		b = append(b, '"', ':')
		value := len(b)
		if b = f.add(b, j, o); len(b) == value {
			b = b[:before]
		}
	}
	return append(b, '}')
}

// objectAnswer is one object as an answer.
type objectAnswer struct {
	base   string
	object *object.Object
}

func (a objectAnswer) appendJSON(b []byte, m mask) []byte {
	return newObjectJSON(a.base, m).add(b, a.object)
}

// objectReply is an object's resource, with its ETag among the headers.
func (c *call) objectReply(o *object.Object) objectAnswer {
	c.w.Header().Set("Etag", `"`+etag(o.Generation, o.Metageneration)+`"`)
	return objectAnswer{c.base(), o}
}

// objectList is a page of objects as an answer.
type objectList struct {
	base, next string
	page       *object.ListResult
}

func (l *objectList) appendJSON(b []byte, m mask) []byte {
	b = append(b, '{')
	if _, ok := m.of("kind"); ok {
		b = appendText(appendName(b, "kind"), "storage#objects")
	}
	if _, ok := m.of("nextPageToken"); ok && l.next != "" {
		b = appendText(appendName(b, "nextPageToken"), l.next)
	}
	if _, ok := m.of("prefixes"); ok && len(l.page.Prefixes) > 0 {
		b = append(appendName(b, "prefixes"), '[')
		for i, p := range l.page.Prefixes {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, p)
		}
		b = append(b, ']')
	}
	if inner, ok := m.of("items"); ok && len(l.page.Objects) > 0 {
		j := newObjectJSON(l.base, inner)
		b = append(appendName(b, "items"), '[')
		for i, o := range l.page.Objects {
			if i > 0 {
				b = append(b, ',')
			}
			b = j.add(b, o)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}

// appendName begins a field of an object that is being written.
func appendName(b []byte, name string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	return append(appendText(b, name), ':')
}

// rewriteAnswer is what rewriteTo answers.
type rewriteAnswer struct{ objectAnswer }

func (a rewriteAnswer) appendJSON(b []byte, m mask) []byte {
	size := strconv.FormatInt(a.object.Size, 10)
	b = append(b, '{')
	for _, f := range [][2]string{
		{"kind", `"storage#rewriteResponse"`}, {"totalBytesRewritten", `"` + size + `"`}, {"objectSize", `"` + size + `"`}, {"done", "true"},
	} {
		if _, ok := m.of(f[0]); ok {
			b = append(appendName(b, f[0]), f[1]...)
		}
	}
	if inner, ok := m.of("resource"); ok {
		b = a.objectAnswer.appendJSON(appendName(b, "resource"), inner)
	}
	return append(b, '}')
}

// setHash tells the checksums of what is stored.
func setHash(h http.Header, o *object.Object) {
	if !o.NoCRC32C {
		h.Add("X-Goog-Hash", "crc32c="+object.FormatCRC32C(o.CRC32C))
	}
	if o.MD5 != nil {
		h.Add("X-Goog-Hash", "md5="+base64.StdEncoding.EncodeToString(o.MD5))
	}
}
