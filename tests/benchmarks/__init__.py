"""What guarded calls cost beside their rivals: ``python -m tests.benchmarks.hot_path``."""
