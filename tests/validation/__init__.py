"""All that is statistical, run again by one command: tests/validation/validate.py."""
