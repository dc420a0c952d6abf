"""Imports: records from files of several formats become rows, as a job that goes on wherever it stopped.

`entries.py` says what a format yields; `lines.py`, `tables.py`, `parquet.py`, `archives.py` and `formats.py` read them.
`engine.py` makes rows of entries and `writing.py` writes them, each batch in one transaction with its position.
"""
