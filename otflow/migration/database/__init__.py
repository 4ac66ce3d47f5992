"""MLflow's tables, read: `tables` reads any of them, the other modules know what one noun's hold, `source` has all."""
