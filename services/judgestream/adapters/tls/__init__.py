"""Files of TLS that may be renewed at any time, and the credentials that gRPC makes of them."""
