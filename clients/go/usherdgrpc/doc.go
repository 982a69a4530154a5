// Package usherdgrpc has interceptors for gRPC servers that let calls pass which usherd allows.
//
//	guard := usherdgrpc.New(client)
//	server := grpc.NewServer(grpc.UnaryInterceptor(guard.Unary), grpc.StreamInterceptor(guard.Stream))
//
// The route is the full method ("/package.Service/Method"), the HTTP method is POST, and the credential is read from the
// metadata as from HTTP headers. A denial ends a call with UNAUTHENTICATED, PERMISSION_DENIED or RESOURCE_EXHAUSTED and
// the reason in a google.rpc.ErrorInfo of the domain "usher.v1"; a fault with UNAVAILABLE. Streams are watched: one that
// may not go on ends with the status of its denial.
package usherdgrpc
