"""Models that others have trained, turned into bundles; needs earmark[head] for its onnx."""
