"""Impact draws, which every model ends in, and what is asked of them."""
