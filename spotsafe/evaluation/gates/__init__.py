"""Gates: what a run must keep before its engine, or its policy, is released."""
