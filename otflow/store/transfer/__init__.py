"""Traces into files and back: `exporting` reads any store, `files` and `parquet` are formats, `importing` writes."""
