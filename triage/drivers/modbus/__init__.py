"""Modbus TCP: devices are polled, understood by their profile, and written to at most once."""
