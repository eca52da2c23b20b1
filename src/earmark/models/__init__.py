"""Models: the registry of networks, the bundle on disk, and the runtime that predicts."""
