"""The words of the field: statuses, errors, records, distances. Imports nothing else of the project."""
