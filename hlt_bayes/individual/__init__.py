"""Models of individual records: regressions whose impacts are pooled across trial groups."""
