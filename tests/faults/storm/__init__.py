"""A seeded storm of faults against a whole Casebook under load, with an oracle after each round."""
