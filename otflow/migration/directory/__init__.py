"""A directory of MLflow's file store, read: `files` reads its small files, the other modules know a noun each."""
