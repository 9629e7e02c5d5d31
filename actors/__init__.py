"""The operations, and how messages move."""
