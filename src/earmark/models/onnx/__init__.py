"""Building and changing ONNX graphs; needs the onnx package."""
