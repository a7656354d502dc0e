"""The smallest whole driver, for the author of the next one: read codec.py, then driver.py, then README.md."""
