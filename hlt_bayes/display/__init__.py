"""Tables, figures and sentences, the same for terminal, page, notebook and README."""
