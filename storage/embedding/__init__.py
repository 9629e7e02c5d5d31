"""Texts as vectors: who makes them, and where they are kept."""
