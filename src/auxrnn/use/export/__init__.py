"""Trained models as files for other programs: ONNX, state in and state out."""
