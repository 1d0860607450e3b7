package object

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/minio/minio-go/v7"

	"hearth/ml"
)

const diskFull = "The disk of the S3 server is full. Delete objects, or make room on it."

// fault turns an error of the S3 client into one of ours. NOT_FOUND does not say
// whether object or bucket is missing: callers do.
func (m *MinIO) fault(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if e := (*ml.Error)(nil); errors.As(err, &e) {
		return err
	}
	r := minio.ToErrorResponse(err)
	is := func(kind ml.Kind, message string) error { return &ml.Error{Kind: kind, Message: message, Err: err} }
	switch r.Code {
	case "NoSuchBucket":
		return errNoBucket
	case "NoSuchKey":
		return is(ml.NotFound, "No such object.")
	case "NoSuchUpload":
		return is(ml.NotFound, "The upload was lost: begin it again.")
	case "PreconditionFailed":
		return ErrConditionNotMet
	case "BucketAlreadyExists", "BucketAlreadyOwnedByYou":
		return errBucketExists
	case "BucketNotEmpty":
		return ErrBucketNotEmpty
	case "XMinioStorageFull":
		return is(ml.ResourceExhausted, diskFull)
	case "XMinioAdminBucketQuotaExceeded", "QuotaExceeded":
		return is(ml.ResourceExhausted, "The S3 server's quota of the bucket is used up. Delete objects, or raise it.")
	case "AccessDenied": // also what MinIO makes of a disk that is read-only
		return is(ml.FailedPrecondition, "The S3 server at "+m.o.Endpoint+" denies this: the key in [storage.minio] may lack the right, or the server cannot write to its disk.")
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "AllAccessDisabled":
		return is(ml.FailedPrecondition, "The S3 server at "+m.o.Endpoint+" refuses Hearth's credentials ("+r.Code+"): see [storage.minio] in the configuration.")
	}
	if strings.Contains(r.Message, "no space left on device") { // where MinIO notices only while it writes
		return is(ml.ResourceExhausted, diskFull)
	}
	if r.Code == "IncompleteBody" { // we send what is in memory: MinIO says so when its disk refuses the content
		return is(ml.Unavailable, "The S3 server at "+m.o.Endpoint+" did not take the content: its disk may be full.")
	}
	switch r.StatusCode {
	case http.StatusNotFound:
		return is(ml.NotFound, "No such object.")
	case http.StatusPreconditionFailed:
		return ErrConditionNotMet
	case http.StatusInsufficientStorage:
		return is(ml.ResourceExhausted, diskFull)
	case http.StatusBadRequest, http.StatusNotImplemented, http.StatusRequestedRangeNotSatisfiable, http.StatusConflict:
		return err
	}
	return is(ml.Unavailable, "The S3 server at "+m.o.Endpoint+" does not answer: "+err.Error())
}

var errBucketExists = ml.Errorf(ml.AlreadyExists, "Your previous request to create the named bucket succeeded and you already own it.")

// refusesKey reports whether the server cannot have an object of that key, so
// that it needs a hashed one.
func refusesKey(err error) bool {
	switch minio.ToErrorResponse(err).Code {
	case "XMinioInvalidObjectName", "XMinioInvalidResourceName", "XMinioParentIsObject", "XMinioObjectExistsAsDirectory",
		"XMinioObjectExistsAsPrefix", "KeyTooLongError", "InvalidArgument", "MethodNotAllowed":
		return true
	}
	return false
}

// gone reports whether what was asked for is not there.
func gone(err error) bool { return ml.KindOf(err) == ml.NotFound }

// noSuchObject is what NOT_FOUND says of an object.
func noSuchObject(bucket, name string) error {
	return ml.Errorf(ml.NotFound, "No such object: %s/%s", bucket, name)
}
