package object

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"hearth/ml"
)

// What is known of an object is kept on the S3 server three times over:
//
//   - S3's own headers have the content type and its like, for those who read
//     the object there.
//   - The user metadata "hearth" has a blob: JSON of all of it. It goes there
//     with the content, so it cannot say what is found out later: the checksums
//     of an upload in parts, and attributes that a client changes. To write them
//     into the metadata S3 would have to copy the object. Such a blob, or one
//     that has no room for all the metadata, is partial.
//   - Then a sidecar says the rest: a small object of its own, which counts as
//     long as its ETag is the object's.

// metadataKey is the user metadata with the blob.
const metadataKey = "Hearth"

// maxBlob is less than what S3 allows for user metadata, 2 KiB.
const maxBlob = 1900

// blob is what an object's own metadata or its sidecar says of it.
type blob struct {
	// Name is the object's, whose key may be hashed. A partial blob may lack it.
	Name string `json:"name,omitempty"`
	// ETag is set in a sidecar only.
	ETag string `json:"objectEtag,omitempty"`
	// Partial says that a sidecar has more.
	Partial bool `json:"partial,omitempty"`
	record
}

// encodeBlob gives a record's blob. Header values are ASCII.
func encodeBlob(name string, r *record, partial bool) (string, error) {
	b := blob{Name: name, Partial: partial, record: *r}
	b.Path = ""
	s, err := marshalASCII(b)
	if err != nil || len(s) <= maxBlob {
		return s, err
	}
	b.Partial, b.Attributes = true, Attributes{}
	if len(name) > maxBlob/8 {
		b.Name = ""
	}
	return marshalASCII(b)
}

func marshalASCII(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return strings.Trim(strconv.QuoteToASCII(string(b)), `"`), nil
}

// decodeBlob reads what encodeBlob wrote.
func decodeBlob(s string) (*blob, error) {
	plain, err := strconv.Unquote(`"` + s + `"`)
	if err != nil {
		return nil, fmt.Errorf("read an object's metadata: %w", err)
	}
	var b blob
	if err := json.Unmarshal([]byte(plain), &b); err != nil {
		return nil, fmt.Errorf("read an object's metadata: %w", err)
	}
	return &b, nil
}

// putOptions is what goes to the server together with the content.
func putOptions(name string, r *record, partial bool) (minio.PutObjectOptions, error) {
	s, err := encodeBlob(name, r, partial)
	return minio.PutObjectOptions{
		UserMetadata: map[string]string{metadataKey: s}, DisableContentSha256: true,
		ContentType: r.ContentType, ContentEncoding: r.ContentEncoding, ContentDisposition: headerValue(r.ContentDisposition),
		ContentLanguage: headerValue(r.ContentLanguage), CacheControl: headerValue(r.CacheControl),
	}, err
}

// headerValue leaves out what no header can carry; the blob has it.
func headerValue(s string) string {
	for _, c := range s {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return s
}

// putSidecar writes a record's sidecar.
func (m *MinIO) putSidecar(ctx context.Context, bucket, name string, r *record) error {
	b := blob{Name: name, ETag: r.ETag, record: *r}
	content, err := json.Marshal(b)
	if err != nil {
		return err
	}
	_, err = m.s3.PutObject(ctx, s3Bucket(bucket), sidecarKey(name), bytes.NewReader(content), int64(len(content)), "", "",
		minio.PutObjectOptions{ContentType: "application/json", DisableContentSha256: true})
	return m.fault(err)
}

// sidecar reads what a sidecar says of the object with that ETag; nil if nothing.
func (m *MinIO) sidecar(ctx context.Context, bucket, key, etag string) (*blob, error) {
	rc, _, _, err := m.s3.GetObject(ctx, s3Bucket(bucket), key, minio.GetObjectOptions{})
	if err = m.fault(err); gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	content, err := io.ReadAll(io.LimitReader(rc, 1<<20))
	if err != nil {
		return nil, m.fault(err)
	}
	var b blob
	if json.Unmarshal(content, &b) != nil || etag != "" && b.ETag != etag {
		return nil, nil
	}
	return &b, nil
}

// dropSidecar removes the sidecar of what a name was before. One that stays is
// litter: its ETag fits nothing.
func (m *MinIO) dropSidecar(ctx context.Context, bucket, name string) {
	err := m.s3.RemoveObject(context.WithoutCancel(ctx), s3Bucket(bucket), sidecarKey(name), minio.RemoveObjectOptions{})
	if err != nil {
		m.o.Log.Debug().Err(err).Str("bucket", bucket).Msg("a sidecar stays until the next reindex")
	}
}

// learn makes the record of what the server has under a key. Objects that others
// wrote have a generation from their time, and perhaps no checksum.
func (m *MinIO) learn(ctx context.Context, bucket, name string, info minio.ObjectInfo) (*record, error) {
	r := foreignRecord(info)
	if s := userMetadata(info)[metadataKey]; s != "" {
		b, err := decodeBlob(s)
		if err != nil {
			return nil, &ml.Error{Kind: ml.DataLoss, Message: fmt.Sprintf("The metadata of gs://%s/%s on the S3 server cannot be read.", bucket, name), Err: err}
		}
		// A copy that others made carries the blob of another name.
		switch {
		case b.Partial && (b.Name == name || b.Name == ""):
			if r, err = m.completed(ctx, bucket, name, b, info); err != nil {
				return nil, err
			}
		case b.Name == name && b.Size == info.Size:
			r = &b.record
		}
	}
	r.Path, r.ETag = info.Key, info.ETag
	m.clock.saw(r.Generation)
	return r, nil
}

// completed is what a partial blob and its sidecar say. Without the sidecar the
// checksums are not known.
func (m *MinIO) completed(ctx context.Context, bucket, name string, b *blob, info minio.ObjectInfo) (*record, error) {
	side, err := m.sidecar(ctx, bucket, sidecarKey(name), info.ETag)
	if err != nil {
		return nil, err
	}
	if side != nil && side.Name == name {
		side.Sidecar = true
		return &side.record, nil
	}
	b.Size = info.Size
	if b.MD5 == nil && b.CRC32C == 0 {
		b.NoCRC32C = b.Size > 0
	}
	return &b.record, nil
}

// foreignRecord is what S3 itself knows of an object. Its time has seconds only:
// all of S3's answers have those.
func foreignRecord(info minio.ObjectInfo) *record {
	at := info.LastModified.UTC().Truncate(time.Second)
	r := &record{
		Generation: at.UnixMicro(), Metageneration: 1, Size: info.Size, Created: at, Updated: at, NoCRC32C: info.Size > 0,
		Attributes: Attributes{
			ContentType: info.ContentType, ContentEncoding: info.Metadata.Get("Content-Encoding"),
			ContentDisposition: info.Metadata.Get("Content-Disposition"), ContentLanguage: info.Metadata.Get("Content-Language"),
			CacheControl: info.Metadata.Get("Cache-Control"),
		},
	}
	// The ETag of what was written in one piece is its MD5, unless the server
	// encrypts.
	if sum, err := hex.DecodeString(info.ETag); err == nil && len(sum) == 16 && info.Metadata.Get("X-Amz-Server-Side-Encryption") == "" {
		r.MD5 = sum
	}
	for k, v := range userMetadata(info) {
		if k == metadataKey {
			continue
		}
		if r.Metadata == nil {
			r.Metadata = map[string]string{}
		}
		r.Metadata[strings.ToLower(k)] = v
	}
	return r
}

// userMetadata gives an object's user metadata, whose names listings and single
// answers spell differently.
func userMetadata(info minio.ObjectInfo) map[string]string {
	out := map[string]string{}
	for k, v := range info.UserMetadata {
		out[strings.TrimPrefix(k, "X-Amz-Meta-")] = v
	}
	return out
}
