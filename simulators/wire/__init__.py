"""The simulated field on real sockets."""
