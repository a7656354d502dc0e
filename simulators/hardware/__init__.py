"""The inside of a simulated pile: agenda, connectors, controller, sessions, troubles and obedience."""
