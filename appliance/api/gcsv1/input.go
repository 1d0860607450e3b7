package gcsv1

import (
	"encoding/json"
	"strings"
	"time"

	"hearth/ml"
	"hearth/storage/object"
)

// text is a string that JSON may set, set to nothing (null) or leave alone.
type text struct {
	set   bool
	value string
}

func (t *text) UnmarshalJSON(b []byte) error {
	t.set = true
	var s *string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s != nil {
		t.value = *s
	}
	return nil
}

func (t text) to(dst *string) {
	if t.set {
		*dst = t.value
	}
}

// objectInput is what clients may say of an object. Everything else in the
// JSON is ignored, as output-only fields are often sent back.
type objectInput struct {
	Name               string          `json:"name"`
	ContentType        text            `json:"contentType"`
	ContentEncoding    text            `json:"contentEncoding"`
	ContentDisposition text            `json:"contentDisposition"`
	ContentLanguage    text            `json:"contentLanguage"`
	CacheControl       text            `json:"cacheControl"`
	StorageClass       text            `json:"storageClass"`
	CustomTime         text            `json:"customTime"`
	Metadata           json.RawMessage `json:"metadata"`
	MD5Hash            string          `json:"md5Hash"`
	CRC32C             string          `json:"crc32c"`
	// What follows would change what becomes of an object, so it is refused.
	TemporaryHold  bool            `json:"temporaryHold"`
	EventBasedHold bool            `json:"eventBasedHold"`
	Retention      json.RawMessage `json:"retention"`
	Contexts       json.RawMessage `json:"contexts"`
}

// check refuses what cannot be kept.
func (in *objectInput) check() error {
	says := func(b json.RawMessage) bool { return len(b) > 0 && string(b) != "null" && string(b) != "{}" }
	switch {
	case in.TemporaryHold, in.EventBasedHold:
		return unimplemented("Holds on objects are")
	case says(in.Retention):
		return unimplemented("Retention of objects is")
	case says(in.Contexts):
		return unimplemented("Contexts of objects are")
	}
	return checkStorageClass(in.StorageClass.value)
}

// storageClasses are those that the API knows. They mean nothing here.
const storageClasses = " STANDARD NEARLINE COLDLINE ARCHIVE MULTI_REGIONAL REGIONAL DURABLE_REDUCED_AVAILABILITY RAPID "

func checkStorageClass(class string) error {
	if class != "" && !strings.Contains(storageClasses, " "+class+" ") {
		return ml.FieldErrorf("storageClass", "Invalid storage class %q: use STANDARD, NEARLINE, COLDLINE or ARCHIVE.", class)
	}
	return nil
}

// setsAttributes reports whether the JSON says anything about attributes, the
// storage class aside.
func (in *objectInput) setsAttributes() bool {
	return in.ContentType.set || in.ContentEncoding.set || in.ContentDisposition.set || in.ContentLanguage.set ||
		in.CacheControl.set || in.CustomTime.set || len(in.Metadata) > 0
}

// apply edits attributes the way PATCH does: what is not there stays, null takes
// away, metadata is merged key by key.
func (in *objectInput) apply(a *object.Attributes) error {
	if err := in.check(); err != nil {
		return err
	}
	in.ContentType.to(&a.ContentType)
	in.ContentEncoding.to(&a.ContentEncoding)
	in.ContentDisposition.to(&a.ContentDisposition)
	in.ContentLanguage.to(&a.ContentLanguage)
	in.CacheControl.to(&a.CacheControl)
	in.StorageClass.to(&a.StorageClass)
	if err := in.applyCustomTime(a); err != nil {
		return err
	}
	return in.applyMetadata(a)
}

// applyCustomTime sets the time that the client keeps with an object. Cloud
// Storage lets it go forward only.
func (in *objectInput) applyCustomTime(a *object.Attributes) error {
	if !in.CustomTime.set || in.CustomTime.value == "" && a.CustomTime.IsZero() {
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, in.CustomTime.value)
	switch {
	case in.CustomTime.value != "" && err != nil:
		return ml.FieldErrorf("customTime", "Invalid customTime %q: it must be a time like 2006-01-02T15:04:05Z.", in.CustomTime.value)
	case t.Before(a.CustomTime):
		return ml.FieldErrorf("customTime", "A customTime cannot be removed or set to an earlier time.")
	}
	a.CustomTime = t.UTC()
	return nil
}

// maxMetadata bounds keys and values together, in bytes, as Cloud Storage does.
const maxMetadata = 8 << 10

func (in *objectInput) applyMetadata(a *object.Attributes) error {
	switch string(in.Metadata) {
	case "":
		return nil
	case "null":
		a.Metadata = nil
		return nil
	}
	var m map[string]*string
	if err := json.Unmarshal(in.Metadata, &m); err != nil {
		return ml.FieldErrorf("metadata", "The values of metadata must be strings.")
	}
	if a.Metadata == nil {
		a.Metadata = map[string]string{}
	}
	for k, v := range m {
		if v == nil {
			delete(a.Metadata, k)
		} else {
			a.Metadata[k] = *v
		}
	}
	size := 0
	for k, v := range a.Metadata {
		size += len(k) + len(v)
	}
	if size > maxMetadata {
		return ml.FieldErrorf("metadata", "The metadata has %d bytes; there may be %d.", size, maxMetadata)
	}
	return nil
}

// checksums adds what the JSON says about the content.
func (in *objectInput) checksums(c *object.Checksums) error {
	if in.CRC32C != "" {
		if err := setCRC32C(c, in.CRC32C); err != nil {
			return err
		}
	}
	if in.MD5Hash != "" {
		return setMD5(c, in.MD5Hash)
	}
	return nil
}
