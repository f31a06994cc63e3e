"""Data sets: where they come from, what their columns mean, rows read one by one."""
