"""Networks in ONNX files, told apart by their graphs."""
