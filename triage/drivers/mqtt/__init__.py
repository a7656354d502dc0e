"""MQTT, the native dialect pile/v1."""
