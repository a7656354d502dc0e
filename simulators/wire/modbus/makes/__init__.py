"""The makes, a module each."""
