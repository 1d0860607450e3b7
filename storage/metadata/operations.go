package metadata

import (
	"encoding/binary"
	"fmt"
	"strings"

	"hearth/ml"
)

// newOperation records an operation on a model or, with v, on a version of it.
// Its id says what it does, as the service's did: create_MODEL_VERSION-SEQ.
func (t *tx) newOperation(project string, kind ml.OperationType, model string, v *ml.Version) (*ml.Operation, error) {
	seq, err := t.Bucket(bucketOperations).NextSequence()
	if err != nil {
		return nil, err
	}
	verb, _, _ := strings.Cut(strings.ToLower(string(kind)), "_")
	id := verb + "_" + model
	if v != nil {
		id += "_" + ml.LastSegment(v.Name)
	}
	id = fmt.Sprintf("%s-%d", id, seq)
	op := &ml.Operation{
		Name: ml.OperationName(project, id),
		Metadata: &ml.OperationMetadata{
			Type:          ml.TypeOperationMetadata,
			CreateTime:    t.now,
			StartTime:     t.now,
			OperationType: kind,
			ModelName:     ml.ModelName(project, model),
			Version:       v,
		},
	}
	if err := t.Bucket(bucketOperationIDs).Put([]byte(project+"/"+id), number(seq)); err != nil {
		return nil, err
	}
	return op, t.put(bucketOperations, numbered(project, seq), op)
}

// succeed ends an operation with its response.
func (t *tx) succeed(project string, op *ml.Operation, typeURL string, response any) error {
	var err error
	if op.Response, err = ml.Typed(typeURL, response); err != nil {
		return fmt.Errorf("encode response of operation %s: %w", op.Name, err)
	}
	return t.end(project, op)
}

// fail ends an operation with an error.
func (t *tx) fail(project string, op *ml.Operation, failure *ml.Status) error {
	op.Error = failure
	return t.end(project, op)
}

func (t *tx) end(project string, op *ml.Operation) error {
	op.Done, op.Metadata.EndTime = true, t.now
	seq := t.Bucket(bucketOperationIDs).Get([]byte(project + "/" + ml.LastSegment(op.Name)))
	if seq == nil {
		return fmt.Errorf("operation %s is not in the index", op.Name)
	}
	return t.put(bucketOperations, numbered(project, binary.BigEndian.Uint64(seq)), op)
}

// operation reads an operation: NOT_FOUND if there is none.
func (t *tx) operation(project, id string) (*ml.Operation, error) {
	seq := t.Bucket(bucketOperationIDs).Get([]byte(project + "/" + id))
	if seq == nil {
		return nil, &ml.Error{Kind: ml.NotFound, Field: "name", Message: "The specified operation was not found."}
	}
	op, key := &ml.Operation{}, numbered(project, binary.BigEndian.Uint64(seq))
	found, err := t.get(bucketOperations, key, op)
	if err == nil && !found {
		err = fmt.Errorf("operation record %q is missing", key)
	}
	if err != nil {
		return nil, err
	}
	return op, nil
}

// Operation returns an operation. NOT_FOUND if there is none.
func (db *DB) Operation(project, id string) (*ml.Operation, error) {
	var op *ml.Operation
	err := db.view(func(t *tx) error {
		var err error
		op, err = t.operation(project, id)
		return err
	})
	return op, err
}

// Operations lists a project's operations, the newest first; pages as in
// [DB.Jobs].
func (db *DB) Operations(project string, pageSize int, pageToken string) (operations []*ml.Operation, next string, err error) {
	p, err := newPage(bucketOperations, project, pageSize, pageToken)
	if err != nil {
		return nil, "", err
	}
	err = db.view(func(t *tx) error {
		next, err = p.descending(t, bucketOperations, func(k, v []byte) error {
			op := &ml.Operation{}
			if err := decode(bucketOperations, k, v, op); err != nil {
				return err
			}
			operations = append(operations, op)
			return nil
		})
		return err
	})
	return operations, next, err
}
