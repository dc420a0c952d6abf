"""Benchmarks: what the server costs, measured beside the bare model, the bare decoding and the bare SQL.

Machines differ and are shared, so a figure means little alone: every table sets side by side what was measured in one
run, interleaved, and the targets are ratios wherever they can be.
"""
