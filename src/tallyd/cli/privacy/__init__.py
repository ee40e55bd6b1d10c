"""`tallyd privacy-check`: the proof that nothing personal was written."""
