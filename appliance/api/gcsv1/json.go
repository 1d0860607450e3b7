package gcsv1

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"hearth/ml"
	"hearth/storage/object"
)

// objectResource is an object as the API shows it. All fields vanish when they
// are empty: that is how a mask takes them away.
type objectResource struct {
	Kind               string            `json:"kind,omitempty"`
	ID                 string            `json:"id,omitempty"`
	SelfLink           string            `json:"selfLink,omitempty"`
	MediaLink          string            `json:"mediaLink,omitempty"`
	Name               string            `json:"name,omitempty"`
	Bucket             string            `json:"bucket,omitempty"`
	Generation         string            `json:"generation,omitempty"`
	Metageneration     string            `json:"metageneration,omitempty"`
	ContentType        string            `json:"contentType,omitempty"`
	ContentEncoding    string            `json:"contentEncoding,omitempty"`
	ContentDisposition string            `json:"contentDisposition,omitempty"`
	ContentLanguage    string            `json:"contentLanguage,omitempty"`
	CacheControl       string            `json:"cacheControl,omitempty"`
	StorageClass       string            `json:"storageClass,omitempty"`
	Size               string            `json:"size,omitempty"`
	MD5Hash            string            `json:"md5Hash,omitempty"`
	CRC32C             string            `json:"crc32c,omitempty"`
	ComponentCount     int               `json:"componentCount,omitempty"`
	Etag               string            `json:"etag,omitempty"`
	TimeCreated        string            `json:"timeCreated,omitempty"`
	Updated            string            `json:"updated,omitempty"`
	Metadata           map[string]string `json:"metadata,omitempty"`
}

// bucketResource is a bucket as the API shows it.
type bucketResource struct {
	Kind           string            `json:"kind,omitempty"`
	ID             string            `json:"id,omitempty"`
	SelfLink       string            `json:"selfLink,omitempty"`
	Name           string            `json:"name,omitempty"`
	ProjectNumber  string            `json:"projectNumber,omitempty"`
	Metageneration string            `json:"metageneration,omitempty"`
	Location       string            `json:"location,omitempty"`
	LocationType   string            `json:"locationType,omitempty"`
	StorageClass   string            `json:"storageClass,omitempty"`
	Etag           string            `json:"etag,omitempty"`
	TimeCreated    string            `json:"timeCreated,omitempty"`
	Updated        string            `json:"updated,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
}

const (
	defaultStorageClass = "STANDARD"
	defaultLocation     = "US-CENTRAL1"
	// projectNumber stands for the one project that there is.
	projectNumber = "1"
)

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func etag(generation, metageneration int64) string {
	b := binary.AppendUvarint([]byte{0x08}, uint64(generation))
	b = binary.AppendUvarint(append(b, 0x10), uint64(metageneration))
	return base64.StdEncoding.EncodeToString(b)
}

// base is scheme and host as the client used them: it goes on with links that
// begin the same way, and retries in silence if they do not.
func (c *call) base() string {
	host := c.r.Host
	if c.r.TLS != nil || strings.HasSuffix(host, ".googleapis.com") {
		return "https://" + host
	}
	return "http://" + host
}

func (c *call) objectResource(o *object.Object) *objectResource {
	base, path := c.base(), "storage/v1/b/"+url.PathEscape(o.Bucket)+"/o/"+url.PathEscape(o.Name)
	return &objectResource{
		Kind:               "storage#object",
		ID:                 fmt.Sprintf("%s/%s/%d", o.Bucket, o.Name, o.Generation),
		SelfLink:           base + "/" + path,
		MediaLink:          fmt.Sprintf("%s/download/%s?generation=%d&alt=media", base, path, o.Generation),
		Name:               o.Name,
		Bucket:             o.Bucket,
		Generation:         strconv.FormatInt(o.Generation, 10),
		Metageneration:     strconv.FormatInt(o.Metageneration, 10),
		ContentType:        o.ContentType,
		ContentEncoding:    o.ContentEncoding,
		ContentDisposition: o.ContentDisposition,
		ContentLanguage:    o.ContentLanguage,
		CacheControl:       o.CacheControl,
		StorageClass:       defaultStorageClass,
		Size:               strconv.FormatInt(o.Size, 10),
		MD5Hash:            base64.StdEncoding.EncodeToString(o.MD5),
		CRC32C:             object.FormatCRC32C(o.CRC32C),
		ComponentCount:     o.Components,
		Etag:               etag(o.Generation, o.Metageneration),
		TimeCreated:        timestamp(o.Created),
		Updated:            timestamp(o.Updated),
		Metadata:           o.Metadata,
	}
}

func (c *call) bucketResource(b *object.Bucket) *bucketResource {
	return &bucketResource{
		Kind:           "storage#bucket",
		ID:             b.Name,
		SelfLink:       c.base() + "/storage/v1/b/" + url.PathEscape(b.Name),
		Name:           b.Name,
		ProjectNumber:  projectNumber,
		Metageneration: strconv.FormatInt(b.Metageneration, 10),
		Location:       b.Location,
		LocationType:   "region",
		StorageClass:   b.StorageClass,
		Etag:           etag(b.Created.UnixMicro(), b.Metageneration),
		TimeCreated:    timestamp(b.Created),
		Updated:        timestamp(b.Updated),
		Labels:         b.Labels,
	}
}

// reply answers with JSON, reduced to what the parameter fields asks for.
func (c *call) reply(code int, v any) {
	if code == http.StatusOK {
		m, err := parseMask(c.q.Get("fields"))
		if err != nil {
			c.fail(err)
			return
		}
		m.apply(v)
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		c.fail(fmt.Errorf("encode an answer: %w", err))
		return
	}
	c.write(code, "application/json; charset=UTF-8", buf.Bytes())
}

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
	Metadata           json.RawMessage `json:"metadata"`
	MD5Hash            string          `json:"md5Hash"`
	CRC32C             string          `json:"crc32c"`
}

// setsAttributes reports whether the JSON says anything about attributes.
func (in *objectInput) setsAttributes() bool {
	return in.ContentType.set || in.ContentEncoding.set || in.ContentDisposition.set || in.ContentLanguage.set || in.CacheControl.set || len(in.Metadata) > 0
}

// apply edits attributes the way PATCH does: what is not there stays, null takes
// away, metadata is merged key by key.
func (in *objectInput) apply(a *object.Attributes) error {
	in.ContentType.to(&a.ContentType)
	in.ContentEncoding.to(&a.ContentEncoding)
	in.ContentDisposition.to(&a.ContentDisposition)
	in.ContentLanguage.to(&a.ContentLanguage)
	in.CacheControl.to(&a.CacheControl)
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
