"""Adapters to the field: one package a protocol, each a pure codec and one file that owns the sockets."""
