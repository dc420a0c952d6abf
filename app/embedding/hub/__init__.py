"""The Hugging Face hub: names, files, places, and downloads of models."""
