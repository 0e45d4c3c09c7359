"""The page of a result, and its explorer."""
