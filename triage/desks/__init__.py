"""Where work orders go."""
