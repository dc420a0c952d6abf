"""Programs that make files of the package; no part of it."""
