"""What is kept: PostgreSQL holds the truth, the index and the caches can be made again."""
