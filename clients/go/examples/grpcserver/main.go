// Command grpcserver is a gRPC server whose calls usherd has to allow. It serves grpc.health.v1, as any service would be.
//
//	grpcserver -usherd localhost:50051 -listen 127.0.0.1:9090
//
// The policy grants its routes by their full names, such as "/grpc.health.v1.Health/*".
package main

import (
	"flag"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/usherd/usherd/clients/go/usherd"
	"github.com/usherd/usherd/clients/go/usherdgrpc"
)

func main() {
	usher := flag.String("usherd", "localhost:50051", "where usherd runs")
	listen := flag.String("listen", "127.0.0.1:9090", "where to listen")
	flag.Parse()
	if err := run(*usher, *listen); err != nil {
		log.Fatal(err)
	}
}

func run(usher, listen string) error {
	client, err := usherd.New(usher, usherd.WithCache(10_000))
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	guard := usherdgrpc.New(client)
	server := grpc.NewServer(grpc.UnaryInterceptor(guard.Unary), grpc.StreamInterceptor(guard.Stream))
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	return server.Serve(listener)
}
