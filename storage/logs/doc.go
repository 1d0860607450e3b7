// Package logs reads what jobs print and records what Hearth says about them.
//
// A supervised process writes straight into stdout.log and stderr.log; its
// shim notes in log.idx when the files had which size (ml.LogMark). From the
// two this package makes entries: one per line, timed by the first mark that
// covers it. Each attempt's service.jsonl, which [ServiceLog] appends to, adds
// Hearth's own entries under the task "service".
//
// Entries are totally ordered by time and InsertID, and both stay what they
// are: whoever asks again from the last entry seen misses none and gets none
// twice. That is why a line appears only once it is complete and marked, and
// why nothing younger than a tenth of a second is returned.
//
// It knows the files of ml/process.go and nothing of jobs' states. It holds
// no files open between calls, and memory for one line per file while reading.
package logs
