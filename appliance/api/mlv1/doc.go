// Package mlv1 is the API of ml.googleapis.com, version 1: one file per
// resource. Handlers read from metadata and leave every change to whoever owns
// the records: jobs to the scheduler, models, versions and their operations to
// serving's catalogue.
//
// Every method of the API has a route. Those that are not implemented answer
// 501 and stand in docs/unsupported.md; a test over Google's own description of
// the API holds both to it.
package mlv1
