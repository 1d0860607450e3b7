package object

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"

	"hearth/ml"
)

// The index, .index.db. Values are JSON unless said otherwise.
//
//	meta/
//	    schema           the number of this layout, in decimal
//	    generation       the newest generation given out, 8 bytes, big-endian
//	    rebuild          "1" while the index has yet to be made from what is stored
//	buckets/
//	    BUCKET           Bucket
//	objects/
//	    BUCKET/
//	        OBJECT       record, encoded as record.encode says
//	intents/
//	    BUCKET \0 OBJECT intent: a change of files that has begun
//	uploads/
//	    ID               uploadRecord
var (
	bktMeta    = []byte("meta")
	bktBuckets = []byte("buckets")
	bktObjects = []byte("objects")
	bktIntents = []byte("intents")
	bktUploads = []byte("uploads")

	keySchema     = []byte("schema")
	keyGeneration = []byte("generation")
)

const schema = "1"

// intent says, durably, that files are about to change. Either Record's file
// comes from From, or (Unlink) the file of a deleted object goes.
type intent struct {
	Record record `json:"record"`
	// From is where the new content is, relative to the store's folder.
	From string `json:"from,omitempty"`
	// Upload is the upload that the content comes from, if any.
	Upload string `json:"upload,omitempty"`
	Unlink bool   `json:"unlink,omitempty"`
	// Moved is the object that goes when this one comes, if any.
	Moved *moved `json:"moved,omitempty"`
	// left is what was known of that object when it went.
	left *record
}

// index wraps a transaction in the words of this package. Nothing that it
// returns shares memory with the transaction.
type index struct{ tx *bolt.Tx }

// prepareIndex makes the layout in a new file and refuses one that it does not
// know.
func prepareIndex(tx *bolt.Tx) error {
	for _, name := range [][]byte{bktMeta, bktBuckets, bktObjects, bktIntents, bktUploads} {
		if _, err := tx.CreateBucketIfNotExists(name); err != nil {
			return err
		}
	}
	switch have := string(tx.Bucket(bktMeta).Get(keySchema)); have {
	case schema:
		return nil
	case "":
		return tx.Bucket(bktMeta).Put(keySchema, []byte(schema))
	default:
		return ml.Errorf(ml.FailedPrecondition, "the objects' index has layout %s, and this version of Hearth knows only %s: start a newer one", have, schema)
	}
}

func (x index) get(bkt, key []byte, v any) (bool, error) {
	b := x.tx.Bucket(bkt).Get(key)
	if b == nil {
		return false, nil
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, fmt.Errorf("read %s/%s of the objects' index: %w", bkt, key, err)
	}
	return true, nil
}

func (x index) put(bkt, key []byte, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return x.tx.Bucket(bkt).Put(key, b)
}

// objects gives the objects of a bucket; NOT_FOUND if there is no such bucket.
func (x index) objects(bucket string) (*bolt.Bucket, error) {
	if b := x.tx.Bucket(bktObjects).Bucket([]byte(bucket)); b != nil {
		return b, nil
	}
	return nil, errNoBucket
}

// record gives what is known of an object; nil if there is none.
func (x index) record(bucket, name string) (*record, error) {
	objects, err := x.objects(bucket)
	if err != nil {
		return nil, err
	}
	b := objects.Get([]byte(name))
	if b == nil {
		return nil, nil
	}
	return decodeRecord(b)
}

// existing is record, but NOT_FOUND if there is none.
func (x index) existing(bucket, name string) (*record, error) {
	r, err := x.record(bucket, name)
	if err == nil && r == nil {
		err = ml.Errorf(ml.NotFound, "No such object: %s/%s", bucket, name)
	}
	return r, err
}

func (x index) putRecord(bucket, name string, r *record) error {
	objects, err := x.objects(bucket)
	if err != nil {
		return err
	}
	b, err := r.encode()
	if err != nil {
		return err
	}
	return objects.Put([]byte(name), b)
}

func (x index) deleteRecord(bucket, name string) error {
	objects, err := x.objects(bucket)
	if err != nil {
		return err
	}
	return objects.Delete([]byte(name))
}

// nextGeneration gives a number that is larger than all before, also where the
// clock was put back: microseconds since 1970.
func (x index) nextGeneration(now time.Time) (int64, error) {
	g := max(now.UnixMicro(), x.generation()+1)
	return g, x.raiseGeneration(g)
}

func intentKey(bucket, name string) []byte { return []byte(bucket + "\x00" + name) }

func splitIntentKey(k []byte) (bucket, name string) {
	bucket, name, _ = strings.Cut(string(k), "\x00")
	return bucket, name
}

func (x index) intent(bucket, name string) (*intent, error) {
	var in intent
	ok, err := x.get(bktIntents, intentKey(bucket, name), &in)
	if !ok {
		return nil, err
	}
	return &in, nil
}

func (x index) putIntent(bucket, name string, in *intent) error {
	return x.put(bktIntents, intentKey(bucket, name), in)
}

func (x index) dropIntent(bucket, name string) error {
	return x.tx.Bucket(bktIntents).Delete(intentKey(bucket, name))
}

// generation is the newest generation that the index knows of.
func (x index) generation() int64 {
	if b := x.tx.Bucket(bktMeta).Get(keyGeneration); len(b) == 8 {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// raiseGeneration makes sure that generations given out from now on are larger
// than g.
func (x index) raiseGeneration(g int64) error {
	if g <= x.generation() {
		return nil
	}
	return x.tx.Bucket(bktMeta).Put(keyGeneration, binary.BigEndian.AppendUint64(nil, uint64(g)))
}
