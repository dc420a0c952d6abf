"""What the server does: one function for each method of the API, and those of the command line."""
