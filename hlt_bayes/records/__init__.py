"""Individual records: their schema, how they are read and checked, and a synthetic twin."""
