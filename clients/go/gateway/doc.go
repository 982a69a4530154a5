// Package gateway reads requests as gateways of language models get them, and answers those that may not pass.
//
//	reader := gateway.Reader{BasePath: "/gateway"}
//	asked, err := reader.Read(request)       // a *gateway.Refusal: answer with gateway.Refused(err)
//	decision, err := client.Authorize(ctx, asked.Question)
//
// The middleware in usherdhttp does all of it. What is read, and what is refused, says docs/clients.md of the project
// under "Reading a request"; clients/cases has it as data. Whatever cannot be read with certainty is asked as something
// that the server denies: two programs that read one request in two ways are a way past the one that asks.
package gateway
