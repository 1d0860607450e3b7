// Package ml is Hearth's vocabulary: the resources of Cloud Machine Learning
// Engine's API (Job, Model, Version, Operation) in exactly their public JSON
// form, their names, states and legal transitions, the one error type, and
// what a supervised process is. Everything else is written in these words.
//
// The package imports nothing of Hearth and does no input or output. What only
// Hearth knows about a job (slots, pids, exit status) is not here but in
// storage/metadata's Attempt.
//
// JSON follows the proto3 mapping that Google's clients expect: int64 as
// strings ([Int64]), RFC 3339 times in UTC with nine fractional digits
// ([Timestamp]), durations as "3.5s" ([Duration]), enums by name, unset fields
// absent.
package ml
