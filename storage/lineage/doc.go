// Package lineage keeps what each job has read and written in the bucket: which
// generations of which objects, how many bytes and when last.
//
// A job has one file, PROJECT.JOB.jsonl, that is only appended to. Each line
// says that so many bytes went through; the sum of the lines of an object is
// what is known of it. The first access of a job to an object is in the file
// before [Recorder.Observe] returns. Further ones are summed in memory and
// written once a second: a daemon that is killed loses no object, and of the
// bytes at most those of the last second.
//
// Caveats: nothing is synced, so a power cut may cost the last seconds. What
// memory keeps is bounded: an object that was forgotten begins a new line when
// it is used again. A file that this makes long is rewritten with one line for
// each object.
package lineage
