"""What a producer asks for: one call, one or many actors, one reply."""
