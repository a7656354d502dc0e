"""The pure engine: no clock, no socket, no randomness; everything arrives as an argument."""
