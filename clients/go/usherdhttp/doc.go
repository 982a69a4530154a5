// Package usherdhttp is middleware for net/http that lets requests pass which usherd allows.
//
//	client, err := usherd.New("localhost:50051", usherd.WithCache(10_000))
//	guard := usherdhttp.New(client)
//	http.ListenAndServe(":8080", guard(handler))
//
// A request that is denied, or about which there is no decision, is answered as OpenAI's clients expect it, and does not
// reach the handler. The handler has the decision from [Decision].
//
// A request for a streamed answer is watched while the answer is written. So is an answer that turns out to be a
// text/event-stream, or takes more than a second from its first byte on. When it may not go on, the context of the
// request ends with the cause [ErrCut], no byte of the handler's is written any more, and the answer ends: with an error
// event if it is a text/event-stream; any other is broken off, so that it is not taken for whole.
package usherdhttp
