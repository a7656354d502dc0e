"""The triage daemon for charging piles: complaints and telemetry in, proven recovery or a field order out."""
