"""The Tantivy index: schema, query, reading, writing, and following the change feed."""
