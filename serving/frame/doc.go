// Package frame is the wire between the daemon and a model worker: frames of a
// fixed binary header, a short head and a body, over a unix stream socket.
//
// A [Conn] carries one request at a time: the daemon writes a frame, the worker
// answers with one. There are no identifiers and no multiplexing; whoever wants
// more requests in flight uses more connections. So a reader knows after one
// read call nearly always the whole frame, and a writer needs one write call.
//
// Caveats: a Conn is for one goroutine at a time, [Conn.Close] excepted. After
// any error but a refused [Conn.Write] of a frame that is too large the
// connection is of no further use and must be closed: the two ends may disagree
// about where the next frame starts.
package frame
