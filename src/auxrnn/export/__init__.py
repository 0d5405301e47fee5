"""Trained models as files for other programs: ONNX and torch.export, state in and state out."""
