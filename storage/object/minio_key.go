package object

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"
)

// What Hearth keeps for itself in an S3 bucket is below hidden: no name of an
// object is a key there.
const (
	hidden      = ".hearth/"
	hashedKeys  = hidden + "names/"    // objects whose names are no keys
	sidecarKeys = hidden + "sidecars/" // see minio_record.go
	bucketKey   = hidden + "bucket.json"
)

// hashedBucket begins the names of S3 buckets that cannot have their own.
const hashedBucket = "hearth--"

var s3BucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// s3Bucket gives the S3 bucket of a bucket: S3's rules are narrower than Cloud
// Storage's, which allow underscores and 222 characters.
func s3Bucket(name string) string {
	fits := s3BucketPattern.MatchString(name) && !strings.Contains(name, ".-") && !strings.Contains(name, "-.") && !strings.HasPrefix(name, hashedBucket)
	if fits {
		return name
	}
	return hashedBucket + keyHash(name)[:40]
}

func keyHash(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func hashedKey(name string) string  { return hashedKeys + keyHash(name) }
func sidecarKey(name string) string { return sidecarKeys + keyHash(name) }

func isHashed(key string) bool { return strings.HasPrefix(key, hashedKeys) }

// fitsKey reports whether a name may be a key. S3 would take nearly all of them,
// but servers that keep objects as files do not, MinIO among them.
func fitsKey(name string) bool {
	if strings.HasPrefix(name, hidden) || strings.HasPrefix(name, ".minio.sys/") || len(name) > 1000 || !utf8.ValidString(name) || strings.TrimSpace(name) == "" {
		return false
	}
	for _, c := range name {
		if c < ' ' || c == 0x7f || c == '\\' {
			return false
		}
	}
	for segment := range strings.SplitSeq(strings.TrimSuffix(name, "/"), "/") {
		switch {
		case segment == "", segment == ".", segment == "..", len(segment) > 240:
			return false
		case segment == "xl.meta", strings.HasSuffix(segment, "__XLDIR__"): // MinIO's own files
			return false
		}
	}
	return true
}

// reservations are plain keys that are being written: as good as taken where it
// is asked whether another name fits beside them.
type reservations struct {
	mu   sync.Mutex
	used map[string]int // by intentKey
}

func (r *reservations) add(bucket, key string, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.used == nil {
		r.used = map[string]int{}
	}
	k := string(intentKey(bucket, key))
	if r.used[k] += n; r.used[k] <= 0 {
		delete(r.used, k)
	}
}

// beside reports whether a key that is being written cannot be there together
// with name.
func (r *reservations) beside(bucket, name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k := range r.used {
		b, other := splitIntentKey([]byte(k))
		if b == bucket && (isBelow(name, other) || isBelow(other, name)) {
			return true
		}
	}
	return false
}

// isBelow reports whether MinIO would keep name in a folder that is the object
// above.
func isBelow(name, above string) bool {
	return !strings.HasSuffix(above, "/") && strings.HasPrefix(name, above+"/") && name != above+"/"
}

// reserve chooses the key for a new object and keeps others from what would not
// go with it; release ends that. MinIO does not list an object a/b where there is
// an object a, so of two such names only the first is a key, and the other is
// hashed.
func (m *MinIO) reserve(bucket, name string) (key string, release func(), err error) {
	key = hashedKey(name)
	release = func() {}
	if !fitsKey(name) {
		return key, release, nil
	}
	m.keys.add(bucket, name, 1)
	release = sync.OnceFunc(func() { m.keys.add(bucket, name, -1) })
	taken := m.keys.beside(bucket, name)
	if !taken {
		err = m.view(func(x index) error {
			objects, err := x.objects(bucket)
			if err == nil {
				taken = hasNeighbour(objects, name)
			}
			return err
		})
	}
	if err != nil || taken {
		release()
		return key, func() {}, err
	}
	return name, release, nil
}

// hasNeighbour reports whether a bucket has a plain key that name does not go
// with.
func hasNeighbour(objects *bolt.Bucket, name string) bool {
	plain := func(v []byte) bool {
		r, err := decodeRecord(v)
		return err == nil && !isHashed(r.Path)
	}
	for i := range len(name) - 1 {
		if name[i] != '/' {
			continue
		}
		if v := objects.Get([]byte(name[:i])); v != nil && plain(v) {
			return true
		}
	}
	if strings.HasSuffix(name, "/") {
		return false
	}
	c := objects.Cursor()
	for k, v := c.Seek([]byte(name + "/")); k != nil && strings.HasPrefix(string(k), name+"/"); k, v = c.Next() {
		if isBelow(string(k), name) && plain(v) {
			return true
		}
	}
	return false
}
