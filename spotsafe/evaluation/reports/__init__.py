"""Reports of runs: one document of figures, shown in a terminal, as JSON, or as one HTML file."""
