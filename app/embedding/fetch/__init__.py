"""Pictures from where a record says that they are: bytes, a URL, a file."""
