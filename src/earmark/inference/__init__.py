"""Running a model on files: many in a batch, or one at a time as a server is asked."""
