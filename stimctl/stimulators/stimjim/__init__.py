"""The adapter for StimJim in its three dialects, its gate and its parser."""
