"""Individual participant data: reading and checking records, models of them, and synthetic records."""
