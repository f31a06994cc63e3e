"""Training of what the detectors ship with."""
