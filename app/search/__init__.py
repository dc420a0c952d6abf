"""Searches without a database: what is asked for, the rule that plans it, and the list that pages are cut from."""
