"""TLS of gRPC: credentials of clients and servers from files that may be renewed at any time."""
