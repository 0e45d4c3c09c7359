"""Impact draws, the common output of all models, and their summaries."""
