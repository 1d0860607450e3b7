package object

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/minio/minio-go/v7"
	"golang.org/x/sync/errgroup"
)

// A listing comes from the index, in the order of names, after the part of the
// index that it is about was compared with what S3 lists there. S3's listings
// lack names that are hashed, MinIO's lack some others: what the index has and
// the listing has not is therefore asked for one by one before it is dropped.

// s3Page is how many keys S3 lists at a time.
const s3Page = 1000

// asking is how many objects are asked about at a time.
const asking = 16

// List implements ObjectReader.
func (m *MinIO) List(ctx context.Context, bucket string, o ListOptions) (*ListResult, error) {
	if o.Max <= 0 {
		o.Max = defaultListMax
	}
	if err := m.needBucket(ctx, bucket); err != nil {
		return nil, err
	}
	res := &ListResult{}
	for {
		through, err := m.compare(ctx, bucket, o)
		if err != nil {
			return nil, err
		}
		page, err := m.scan(bucket, o, through)
		if err != nil {
			return nil, err
		}
		res.Objects, res.Prefixes = append(res.Objects, page.Objects...), append(res.Prefixes, page.Prefixes...)
		res.Next = page.Next
		if page.Next != "" || through == "" {
			return res, nil
		}
		o.StartAfter = max(page.last, through)
		if o.Max -= len(page.Objects) + len(page.Prefixes); o.Max == 0 {
			res.Next = o.StartAfter
			return res, nil
		}
	}
}

// scan reads a page from the index, up to and with the name through.
func (m *MinIO) scan(bucket string, o ListOptions, through string) (page scannedPage, err error) {
	s := scan{ListOptions: o, bucket: bucket}
	if through != "" {
		if end := through + "\x00"; s.EndOffset == "" || end < s.EndOffset {
			s.EndOffset = end
		}
	}
	err = m.view(func(x index) error {
		objects, err := x.objects(bucket)
		if err != nil {
			return err
		}
		s.c = objects.Cursor()
		return s.run()
	})
	return scannedPage{&s.res, s.last}, err
}

// scannedPage is what a scan found, and what came last.
type scannedPage struct {
	*ListResult
	last string
}

// compare brings the index up to date from where a listing begins, and gives the
// name up to which it is; empty if that is the end of the listing.
func (m *MinIO) compare(ctx context.Context, bucket string, o ListOptions) (through string, err error) {
	begin := scan{ListOptions: o}
	start, ok := begin.start()
	if !ok || !fitsPrefix(o.Prefix) {
		return "", nil // no key can be meant
	}
	listed := s3Listing{prefix: o.Prefix, start: start, objects: map[string]string{}, prefixes: map[string]bool{}}
	if o.Delimiter == "/" && o.Match == nil && !o.TrailingDelimiter {
		listed.delimiter = "/"
	}
	for after := before(start); ; after = listed.last {
		page, err := m.s3.ListObjectsV2(s3Bucket(bucket), s3Part(o.Prefix), s3Part(after), "", listed.delimiter, s3Page)
		if err != nil {
			return "", m.fault(err)
		}
		listed.add(page)
		if !page.IsTruncated {
			break
		}
		if listed.last >= start {
			through = listed.through()
			break
		}
	}
	return through, m.apply(ctx, bucket, o.Prefix, through, &listed)
}

// s3Listing is what S3 lists from start on: ETags by key, and folded prefixes.
type s3Listing struct {
	prefix, start, delimiter string
	objects                  map[string]string
	prefixes                 map[string]bool
	last                     string
}

func (l *s3Listing) add(page minio.ListBucketV2Result) {
	for _, i := range page.Contents {
		l.last = max(l.last, i.Key)
		if i.Key >= l.start && strings.HasPrefix(i.Key, l.prefix) && !strings.HasPrefix(i.Key, hidden) {
			l.objects[i.Key] = strings.Trim(i.ETag, `"`)
		}
	}
	for _, p := range page.CommonPrefixes {
		l.last = max(l.last, p.Prefix)
		if p.Prefix != hidden && strings.HasPrefix(p.Prefix, l.prefix) {
			l.prefixes[p.Prefix] = true
		}
	}
}

// through is the name up to which the listing goes: behind all names of a folded
// prefix.
func (l *s3Listing) through() string {
	if l.delimiter != "" && strings.HasSuffix(l.last, l.delimiter) {
		return l.last + string(utf8.MaxRune)
	}
	return l.last
}

// before gives a string that sorts shortly before s: S3 lists what is behind a
// name, and we want the name itself too.
func before(s string) string {
	r, size := utf8.DecodeLastRuneInString(s)
	s = s[:len(s)-size]
	switch {
	case r == 0 || r == utf8.RuneError:
		return strings.ToValidUTF8(s, "")
	case r == 0xE000:
		r = 0xD800
	}
	return strings.ToValidUTF8(s, "") + string(r-1) + string(utf8.MaxRune)
}

// fitsPrefix reports whether keys can begin with prefix.
func fitsPrefix(prefix string) bool {
	return prefix == "" || fitsKey(prefix) || fitsKey(prefix+"x")
}

// s3Part gives as much of a prefix, or of a name to list behind, as MinIO takes:
// it refuses parts that are one dot or two, though keys begin with such prefixes.
func s3Part(s string) string {
	begin := 0
	for part := range strings.SplitSeq(s, "/") {
		if trimmed := strings.TrimSpace(part); trimmed == "." || trimmed == ".." {
			return s[:begin]
		}
		begin += len(part) + 1
	}
	return s
}

// apply compares S3's listing with the index up to a name and asks the server
// about what differs.
func (m *MinIO) apply(ctx context.Context, bucket, prefix, through string, listed *s3Listing) error {
	d := difference{scan: scan{ListOptions: ListOptions{Prefix: prefix, Delimiter: listed.delimiter}}, listed: listed, through: through}
	err := m.view(func(x index) error {
		objects, err := x.objects(bucket)
		if err != nil {
			return err
		}
		d.c = objects.Cursor()
		return d.run()
	})
	if err != nil {
		return err
	}
	for name := range listed.objects {
		d.ask = append(d.ask, name)
	}
	if err := m.askAbout(ctx, bucket, d.ask); err != nil {
		return err
	}
	for p := range listed.prefixes {
		if err := m.findBelow(ctx, bucket, p); err != nil {
			return err
		}
	}
	return nil
}

// difference finds where S3's listing and the index differ: it leaves in the
// listing what the index lacks, and collects in ask what is otherwise doubtful.
type difference struct {
	scan
	listed  *s3Listing
	through string
	ask     []string
}

func (d *difference) run() error {
	k, v := d.c.Seek([]byte(max(d.listed.start, d.Prefix)))
	for k != nil && d.within(k) && (d.through == "" || string(k) <= d.through) {
		name := string(k)
		if p := d.fold(name); p != "" {
			if _, ok := d.listed.prefixes[p]; ok {
				delete(d.listed.prefixes, p)
				k, v = d.seekBehind(p)
				continue
			}
		}
		r, err := decodeRecord(v)
		if err != nil {
			return err
		}
		if etag, ok := d.listed.objects[name]; (!ok || etag != r.ETag) && !isHashed(r.Path) {
			d.ask = append(d.ask, name)
		}
		delete(d.listed.objects, name)
		k, v = d.c.Next()
	}
	return nil
}

// askAbout brings the index up to date about single names.
func (m *MinIO) askAbout(ctx context.Context, bucket string, names []string) error {
	slices.Sort(names)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(asking)
	for _, name := range names {
		if CheckObjectName(name) != nil {
			continue
		}
		g.Go(func() error {
			if _, err := m.lookup(ctx, bucket, name); !gone(err) || errors.Is(err, errNoBucket) {
				return err
			}
			return nil
		})
	}
	return g.Wait()
}

// findBelow makes sure that the index has something of a folder that others
// made: its first object is enough to show it.
func (m *MinIO) findBelow(ctx context.Context, bucket, prefix string) error {
	page, err := m.s3.ListObjectsV2(s3Bucket(bucket), prefix, "", "", "", 1)
	if err != nil {
		return m.fault(err)
	}
	var names []string
	for _, i := range page.Contents {
		names = append(names, i.Key)
	}
	return m.askAbout(ctx, bucket, names)
}

// findHashed brings the index up to date about the objects whose keys are
// hashed. Only they can be there without S3 listing their names.
func (m *MinIO) findHashed(ctx context.Context, bucket string) error {
	there := map[string]string{}
	for i := range m.s3.Client.ListObjects(ctx, s3Bucket(bucket), minio.ListObjectsOptions{Prefix: hashedKeys, Recursive: true}) {
		if i.Err != nil {
			return m.fault(i.Err)
		}
		there[i.Key] = i.ETag
	}
	var ask []string
	err := m.view(func(x index) error {
		objects, err := x.objects(bucket)
		if err != nil {
			return err
		}
		return objects.ForEach(func(k, v []byte) error {
			r, err := decodeRecord(v)
			if err != nil || !isHashed(r.Path) {
				return err
			}
			if there[r.Path] == r.ETag {
				delete(there, r.Path)
			} else {
				ask = append(ask, string(k))
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if err := m.askAbout(ctx, bucket, ask); err != nil {
		return err
	}
	for key := range there {
		if err := m.takeInHashed(ctx, bucket, key); err != nil {
			return err
		}
	}
	return nil
}

// takeInHashed learns of an object whose key does not show its name: its own
// metadata does.
func (m *MinIO) takeInHashed(ctx context.Context, bucket, key string) error {
	info, err := m.s3.StatObject(ctx, s3Bucket(bucket), key, minio.StatObjectOptions{})
	if err = m.fault(err); err != nil {
		if gone(err) {
			return nil
		}
		return err
	}
	b, err := decodeBlob(userMetadata(info)[metadataKey])
	if err == nil && b.Name == "" {
		b, err = m.sidecar(ctx, bucket, sidecarKeys+strings.TrimPrefix(key, hashedKeys), info.ETag)
	}
	if err != nil || b == nil || hashedKey(b.Name) != key {
		m.o.Log.Warn().Str("bucket", bucket).Str("key", key).Msg("an object has no name that could be read, and is left out")
		return nil
	}
	lock := m.names.of(bucket, b.Name)
	lock.Lock()
	defer lock.Unlock()
	info.Key = key
	r, err := m.learn(ctx, bucket, b.Name, info)
	if err != nil {
		return err
	}
	return m.keep(bucket, b.Name, r)
}
