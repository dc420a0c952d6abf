"""The models: what one must do, the table of them, each of them, and batches."""
