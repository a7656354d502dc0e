"""What a profile's words mean, computed without a socket: registers and payloads in, readings and faults out."""
