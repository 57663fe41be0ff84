"""The conformance suite: it tells whether a device keeps docs/protocol.md, from the device's own line and nothing else.

- `check`: the class of a check, and the list of all of them
- `checks/`: the checks, by topic
- `dut`: the device under test, as a check talks to it, measures it, and brings it into any state
- `runner`: one check after the other, each from a known state and with measured zero after it
- `requirements`: the requirements, and those that nobody can see from the wire, with the reason
- `scope_captures`: captures of an oscilloscope for what is left to one
"""
