"""A run: its folder, its beginning and end, its use afterwards."""
