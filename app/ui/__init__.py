"""The console at `/console`: pages for people, made on the server; its islands call the REST API."""
