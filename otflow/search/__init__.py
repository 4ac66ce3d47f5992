"""The filter language: what may be asked of which entity, and the syntax tree of a question. Knows no SQL."""
