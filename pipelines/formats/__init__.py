"""Reading rows from what producers have: NDJSON, JSON arrays, CSV and TSV, Markdown, gzip."""
