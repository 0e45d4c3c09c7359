"""Shared basics: errors, seeds, strict TOML, progress, worker processes and the vocabulary of the trials."""
