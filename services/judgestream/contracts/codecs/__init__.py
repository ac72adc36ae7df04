"""Codecs between protobuf messages and the values of the core, one module for each kind of message."""
