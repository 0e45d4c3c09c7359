"""The report page of a result, and its interactive explorer."""
