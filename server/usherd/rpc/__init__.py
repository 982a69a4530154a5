"""The edge in: everything that speaks gRPC, and nothing that decides."""
