"""The version, by itself, so that whatever needs it loads nothing else."""

__version__ = "0.1.0"
