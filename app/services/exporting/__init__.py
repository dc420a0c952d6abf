"""Exports: the records of a collection as a file of JSON lines, CSV or Parquet, or as a tar of pictures."""
