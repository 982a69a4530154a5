"""SessionService: sessions of the user interface over gRPC."""
