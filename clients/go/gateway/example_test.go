package gateway_test

import (
	"fmt"
	"net/http/httptest"
	"strings"

	"github.com/usherd/usherd/clients/go/gateway"
	"github.com/usherd/usherd/clients/go/usherd"
)

// What a gateway asks about a request, and how it answers one that it refuses by itself.
func ExampleReader_Read() {
	reader := gateway.Reader{BasePath: "/gateway"}
	request := httptest.NewRequest("POST", "/gateway/v1/chat/completions?x=1", strings.NewReader(`{"model":"gpt-4o","stream":true}`))
	request.Header.Set("Authorization", "Bearer alice-token")

	asked, err := reader.Read(request)
	fmt.Println(asked.Route, *asked.Model, asked.Stream, asked.Source, err)

	request.Header.Set("X-Api-Key", "bob-token")
	_, err = reader.Read(request)
	answer := gateway.For(usherd.Decision{}, err)
	fmt.Println(answer.Status, string(answer.Body))
	// Output:
	// /v1/chat/completions gpt-4o true authorization <nil>
	// 400 {"error":{"message":"The request carries two different credentials.","type":"invalid_request_error","param":null,"code":"credentials_ambiguous"}}
}
