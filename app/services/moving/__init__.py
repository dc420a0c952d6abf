"""Moves: the records of another engine, read from its server or from a file of its answers, become an import."""

NAME = "move"
"""The name of the kind of job."""
