"""StimJim, in its three dialects."""
