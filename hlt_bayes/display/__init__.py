"""Tables, figures and sentences shared by terminal, page, notebook and README."""
