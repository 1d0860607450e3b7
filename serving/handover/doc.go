// Package handover passes live HTTP/1.1 connections from the daemon to a model
// worker and back, so that what is asked again and again on a connection takes no
// way through the daemon.
//
// The daemon, which has read the first request, lends the connection on its
// [Link] to the worker: the socket, and the bytes read so far. The worker answers
// on its [Seat] as long as requests are like the first one (see [Head.Like]); with
// the first that is not it gives the connection back, that request's bytes
// included. Both keep the socket; only one of them reads it at any time.
//
// A page of memory that both see tells the daemon at any moment how far each
// connection is, and the worker whether what the daemon decided still holds (its
// epoch). So a worker may die at any time: connections that were idle go on in the
// daemon, requests that were not answered get a clean answer, and only half-written
// answers are cut. A daemon may die as well: the worker goes on answering, and
// gives its connections to the daemon that follows, each with its next request.
//
// The channel is a seqpacket socket in the worker's process folder. A message is
// one packet: a [message] head, bytes of a request, at most one descriptor.
package handover
