"""Tags of pictures, and names of their colours."""
