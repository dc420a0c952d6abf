"""Services do the work: one function for each method of the API, and those of the command line."""
