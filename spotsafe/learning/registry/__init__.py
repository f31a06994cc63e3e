"""The registry of models: content-addressed files, a signed index, and stages that only a gate opens."""
