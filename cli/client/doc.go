// Package client speaks to a Hearth daemon over HTTP as any other client does:
// the ml v1 API, entries:list of Logging, the JSON API of Cloud Storage and,
// for what Google's APIs lack, /hearth/v1/.
//
// Every answer that is not a success comes back as an [ml.Error] of the kind
// that the server meant, so callers branch on [ml.KindOf] as they would inside
// the daemon. A daemon that does not answer at all is an [UnreachableError].
package client
