"""The driver for every dialect over MQTT that a profile describes."""
