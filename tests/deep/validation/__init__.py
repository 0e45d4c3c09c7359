"""All that is statistical, run again by one command: tests/deep/validation/validate.py."""
