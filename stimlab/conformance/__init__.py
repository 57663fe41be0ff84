"""The conformance suite: whether a device keeps docs/protocol.md, told from its own line and nothing else.

check.py      what a check is, and the list of all of them
bench.py      what a check works with: it talks, listens, measures, and brings the device into any state
checks/       the checks, by topic
runner.py     one check after the other, each from a known state and with measured zero after it
scope.py      the requirements that nobody can see from the wire, with the reason
scope_captures.py  captures of an oscilloscope for what is left to one
"""
