"""Benchmarks: what the server costs, measured beside the bare database."""
