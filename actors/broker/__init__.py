"""A Dramatiq broker on Redis Streams; each atomic move is one .lua file."""
