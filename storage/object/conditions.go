package object

import "hearth/ml"

// Errors that callers branch on.
var (
	// ErrConditionNotMet says that a condition that wants a match failed.
	ErrConditionNotMet error = ml.Errorf(ml.FailedPrecondition, "At least one of the pre-conditions you specified did not hold.")
	// ErrNotModified says that a condition that wants no match failed.
	ErrNotModified error = ml.Errorf(ml.FailedPrecondition, "The object is the one that you have already.")
	// ErrBucketNotEmpty says that a bucket still holds something.
	ErrBucketNotEmpty error = ml.Errorf(ml.FailedPrecondition, "The bucket you tried to delete is not empty.")

	errNoBucket error = ml.Errorf(ml.NotFound, "The specified bucket does not exist.")
)

// Conditions restricts a call to certain states of an object. Nil fields
// restrict nothing. An object that does not exist has generation 0.
type Conditions struct {
	GenerationMatch        *int64 `json:"generationMatch,omitempty"`
	GenerationNotMatch     *int64 `json:"generationNotMatch,omitempty"`
	MetagenerationMatch    *int64 `json:"metagenerationMatch,omitempty"`
	MetagenerationNotMatch *int64 `json:"metagenerationNotMatch,omitempty"`
}

// Check compares with o, nil if there is no such object. It gives
// ErrConditionNotMet or ErrNotModified.
func (c Conditions) Check(o *Object) error {
	var generation, metageneration int64
	if o != nil {
		generation, metageneration = o.Generation, o.Metageneration
	}
	differs := func(want *int64, have int64) bool { return want != nil && *want != have }
	equals := func(want *int64, have int64) bool { return want != nil && *want == have }
	switch {
	case differs(c.GenerationMatch, generation), differs(c.MetagenerationMatch, metageneration):
		return ErrConditionNotMet
	case equals(c.GenerationNotMatch, generation), equals(c.MetagenerationNotMatch, metageneration):
		return ErrNotModified
	}
	return nil
}

// checkBucket compares the conditions on the metageneration with a bucket.
func (c Conditions) checkBucket(b *Bucket) error {
	c.GenerationMatch, c.GenerationNotMatch = nil, nil
	return c.Check(&Object{Metageneration: b.Metageneration})
}
