"""A simulated field, independent of the daemon."""
