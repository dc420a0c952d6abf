"""From the bytes of a picture to pixels, and what pixels say."""
