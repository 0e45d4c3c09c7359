"""What every room stands on: errors, seeds, strict TOML, progress, workers, and the words of the trials."""
