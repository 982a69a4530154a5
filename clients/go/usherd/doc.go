// Package usherd asks usherd, the authorization service for AI gateways, whether the holder of a token may call a route
// with a model. It fails closed.
//
//	client, err := usherd.New("localhost:50051", usherd.WithCache(10_000))
//	decision, err := client.Authorize(ctx, usherd.Question{Token: token, Route: "/v1/chat/completions", Model: &model})
//	if err != nil || !decision.Allowed() { /* the request may not pass */ }
//
// An answer is one of three things, told apart by type:
//
//   - an allowance: a [Decision] whose Allowed is true;
//   - a denial: a [Decision] with a Reason, an HTTPStatus and a Message for the end user;
//   - a fault: an error that is a [*Fault]. No decision could be made, and the request may not pass either.
//
// The zero [Decision] is not allowed. No error, and no object that is printed or logged, shows a token, a claim or a
// question.
//
// # The cache
//
// With [WithCache], what usherd has answered is answered again from memory, in less than a microsecond, for as long as
// usherd keeps it true: it tells of every change on a stream that the client holds. When that stream is lost, or says
// nothing for longer than it promised, nothing is answered from memory any more. [Client.Stats] counts what happens.
//
// # What lasts
//
// [Client.Watch] tells what becomes of one decision while a completion streams or an agent runs. The middleware in
// usherdhttp and usherdgrpc does that for handlers.
//
// docs/clients.md of the project says exactly what this package and its siblings in other languages do.
package usherd
