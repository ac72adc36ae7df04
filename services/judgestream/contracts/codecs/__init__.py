"""Protobuf messages <-> the values that the core works with: a module for each kind of message."""
