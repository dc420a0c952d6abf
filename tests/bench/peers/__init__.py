"""Other engines on the same vectors and queries: one module each behind one protocol, in a process of its own.

None of them is a dependency: `pip install 'lookalike[peers]'` brings them; one that is missing is a row that
says so.
"""
