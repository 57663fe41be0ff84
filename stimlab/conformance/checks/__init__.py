"""The checks, by topic. Modules in this folder are found by themselves.

Each checks the sections of docs/protocol.md that its first line names.
"""
