package object

import (
	"context"
	"io"
)

// Store is a set of buckets. Names that do not exist are NOT_FOUND; malformed
// ones INVALID_ARGUMENT; writes for which there is no room RESOURCE_EXHAUSTED;
// conditions that do not hold [ErrConditionNotMet]. All of it is safe for use
// by several goroutines.
type Store interface {
	BucketStore
	ObjectReader
	ObjectWriter
	Uploader
	Keeper
}

// Keeper is what the store's operator asks of it.
type Keeper interface {
	// Check is UNAVAILABLE while the store cannot be reached.
	Check(ctx context.Context) error
	// Reindex makes the index anew from what is stored, takes in what others
	// have put there, and calls progress now and then. Readers and writers go on
	// meanwhile.
	Reindex(ctx context.Context, progress func(Reindexed)) (Reindexed, error)
	io.Closer
}

// Reindexed counts what Reindex did.
type Reindexed struct {
	// Objects were looked at. Of these, Added were not in the index and Changed
	// differed from it; Removed were in the index only.
	Objects int64 `json:"objects"`
	Added   int64 `json:"added"`
	Changed int64 `json:"changed"`
	Removed int64 `json:"removed"`
	// Bytes were read to find checksums.
	Bytes int64 `json:"bytes"`
}

// BucketStore holds the buckets themselves.
type BucketStore interface {
	// CreateBucket makes an empty bucket; ALREADY_EXISTS if there is one. Times
	// and metageneration of b are ignored.
	CreateBucket(ctx context.Context, b Bucket) (*Bucket, error)
	Bucket(ctx context.Context, name string) (*Bucket, error)
	// Buckets gives all of them, ordered by name.
	Buckets(ctx context.Context) ([]*Bucket, error)
	// UpdateBucket changes what is kept of a bucket and raises its metageneration.
	UpdateBucket(ctx context.Context, u BucketUpdate) (*Bucket, error)
	// DeleteBucket removes an empty bucket; else ErrBucketNotEmpty. Of the
	// conditions those on the metageneration count.
	DeleteBucket(ctx context.Context, name string, c Conditions) error
}

// ObjectReader reads objects.
type ObjectReader interface {
	// Open gives the content of the live generation. The caller closes it.
	Open(ctx context.Context, bucket, name string) (Reader, error)
	Stat(ctx context.Context, bucket, name string) (*Object, error)
	List(ctx context.Context, bucket string, o ListOptions) (*ListResult, error)
}

// ObjectWriter changes objects. What it has returned is durable.
type ObjectWriter interface {
	// Put writes an object from body, which it reads to the end. If reading
	// fails, so does Put, and nothing has changed.
	Put(ctx context.Context, p PutRequest, body io.Reader) (*Object, error)
	Copy(ctx context.Context, c CopyRequest) (*Object, error)
	// Move gives an object another name in its bucket. The object under the new
	// name is a new generation.
	Move(ctx context.Context, m MoveRequest) (*Object, error)
	// Compose writes the contents of several objects of a bucket as one.
	Compose(ctx context.Context, c ComposeRequest) (*Object, error)
	// Update changes an object's attributes and raises its metageneration.
	Update(ctx context.Context, u UpdateRequest) (*Object, error)
	Delete(ctx context.Context, bucket, name string, c Conditions) error
}

// Uploader holds uploads in pieces, which survive a restart. An id cannot be
// guessed: who has it may go on with the upload.
type Uploader interface {
	// BeginUpload opens an upload of p and gives its id. It fails early where
	// the finished upload would.
	BeginUpload(ctx context.Context, p PutRequest) (id string, err error)
	// Upload tells how far an upload is.
	Upload(ctx context.Context, id string) (*Upload, error)
	// AppendUpload adds a piece, and makes the object if it is complete with
	// it. After an error the upload holds what had arrived; after
	// ErrConditionNotMet, NOT_FOUND and a wrong checksum it is gone.
	AppendUpload(ctx context.Context, id string, c Chunk) (*Upload, error)
	AbortUpload(ctx context.Context, id string) error
}

// Reader is the content of one generation of an object: from beginning to end, or
// ABORTED where the object was overwritten or deleted meanwhile and the store
// has not kept what it was.
type Reader interface {
	io.Reader
	io.Seeker
	io.Closer
	Object() *Object
}

// ListOptions says what to list. Names are ordered by their bytes.
type ListOptions struct {
	// Prefix is what names must begin with.
	Prefix string
	// Delimiter, if not empty, folds all names that contain it behind Prefix
	// into one prefix each, which ends in it.
	Delimiter string
	// StartOffset is the first name wanted, EndOffset the first one not wanted
	// any more. Empty means no bound.
	StartOffset, EndOffset string
	// StartAfter is the Next of the page before.
	StartAfter string
	// Max bounds how many objects and prefixes come back; 0 means 1000.
	Max int
	// TrailingDelimiter also lists the object that is named like a prefix.
	TrailingDelimiter bool
	// Match, if set, says which names count at all. It is fast and does nothing
	// else: it may be called while the store holds a transaction.
	Match func(name string) bool
}

// ListResult is one page. Next is empty on the last one.
type ListResult struct {
	Objects  []*Object
	Prefixes []string
	Next     string
}

// PutRequest describes an object to be written.
type PutRequest struct {
	Bucket, Name string
	Attributes   Attributes
	If           Conditions
	// Expect is what the content must be, as far as it is known beforehand.
	Expect Checksums
	// Size is how many bytes will come, as far as the writer says; 0 where it
	// does not. Whether there is room is looked at before they come.
	Size int64
	// By says who writes. The store only keeps it with an upload in pieces.
	By string
}

// BucketUpdate asks for a change of what is kept of a bucket. Change edits it;
// name, times and metageneration stay what they are. It may be called while the
// store holds a transaction, so it does nothing else.
type BucketUpdate struct {
	Name string
	// If restricts the update; of it the conditions on the metageneration count.
	If     Conditions
	Change func(b *Bucket) error
}

// CopyRequest asks for a copy of the object From in the bucket FromBucket.
type CopyRequest struct {
	FromBucket, From string
	FromIf           Conditions
	Bucket, Name     string
	// Attributes replaces those of the source; nil keeps them.
	Attributes *Attributes
	If         Conditions
}

// MoveRequest asks for another name of the object From.
type MoveRequest struct {
	Bucket, From, To string
	FromIf, If       Conditions
}

// ComposeRequest asks for one object made of several.
type ComposeRequest struct {
	Bucket, Name string
	// Sources are 1 to 32 objects of the same bucket; the target may be one.
	Sources    []ComposeSource
	Attributes Attributes
	If         Conditions
}

// ComposeSource is one of the objects of a ComposeRequest.
type ComposeSource struct {
	Name string
	If   Conditions
}

// UpdateRequest asks for a change of an object's attributes. Change gets the
// attributes as they are and edits them; an error of it is returned as it is.
// It may be called while the store holds a transaction, so it does nothing else.
type UpdateRequest struct {
	Bucket, Name string
	If           Conditions
	Change       func(a *Attributes) error
}

// Chunk is a piece of an upload.
type Chunk struct {
	// Offset is where Body belongs. What the upload holds already is skipped;
	// a gap is UNAVAILABLE.
	Offset int64
	// Length is how many bytes Body has; -1 means until its end. Fewer or more
	// are INVALID_ARGUMENT.
	Length int64
	// Total is the size of the whole object, -1 while it is unknown.
	Total int64
	// Last says that the object ends where this piece ends.
	Last bool
	// Expect is what the whole object must be. It counts with the last piece.
	Expect Checksums
	Body   io.Reader
}

// Upload is the state of an upload in pieces.
type Upload struct {
	Bucket, Name string
	// By is who began it, as PutRequest.By said.
	By string
	// Size is how many bytes are held durably.
	Size int64
	// Object is what the finished upload made; nil until then.
	Object *Object
}
