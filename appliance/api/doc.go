// Package api is the front door: one TCP port for everything Hearth answers.
//
// The first byte of a connection tells plain HTTP from TLS; it is only looked
// at, so that net/http gets plain connections untouched. CONNECT makes the port
// a proxy: TLS for Google's hosts ends here, under a certificate of the
// installation's own CA, so that programs with no endpoint option work. What
// lies behind (the APIs below this folder) is injected as handlers.
//
// A request is checked in this order: Host and Origin (a page in a browser must
// not reach us under a name of its own), then where it goes, then who asks and
// whether they may. The owner may do everything, a job use the bucket only.
//
// HTTP/1.1 only: TensorFlow's client needs it on TLS, and a connection then
// carries one request at a time, which [PrincipalFrom] relies on.
package api
