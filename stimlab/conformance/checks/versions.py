"""The messages whose bytes are the same in every version: section 22."""

from stimctl.wire.codes import PROTOCOL_VERSION, Refusal
from stimctl.wire.framing import frame
from stimlab.conformance.check import check
from stimlab.conformance.dut import Dut
from stimlab.conformance.link import STOP_FRAME

_HELLO, _REFUSED, _STOPPED = 0x01, 0x40, 0x5F
_STOPPED_SIZE = 15
_UNSUPPORTED = int(Refusal.UNSUPPORTED_VERSION)


@check("R-75", title="Hello, its refusal, Stop and Stopped have their bytes whatever the version")
def bytes_for_ever(dut: Dut) -> None:
    welcome = dut.hello()
    text = f"it welcomes to version {welcome.version}"
    dut.require("R-75", welcome.version == PROTOCOL_VERSION, text)
    for version in (PROTOCOL_VERSION + 1, 0x0203, 0xFFFE):
        sequence, first = dut.next_sequence(), len(dut.received)
        number, asked = sequence.to_bytes(2, "little"), version.to_bytes(2, "little")
        dut.send_raw(frame(bytes([_HELLO]) + number + asked))
        found = dut.answer_to(sequence, first)
        dut.require("R-75", found is not None, f"Hello of version {version} was not answered")
        assert found is not None
        wanted = (
            bytes([_REFUSED]) + number + bytes([_HELLO, _UNSUPPORTED])
            + asked + b"\x00\x00" + PROTOCOL_VERSION.to_bytes(4, "little")
        )  # fmt: skip
        text = f"Hello of version {version} was answered with {found.payload.hex(' ')}, not {wanted.hex(' ')}"
        dut.require("R-75", found.payload == wanted, text)
    first = len(dut.received)
    dut.send_raw(STOP_FRAME)
    found = dut.answer_to(0, first)
    dut.require("R-75", found is not None, "Stop was not answered")
    assert found is not None
    kept = found.payload[:3] == bytes([_STOPPED, 0, 0]) and len(found.payload) == _STOPPED_SIZE
    dut.require("R-75", kept, f"Stop was answered with {found.payload.hex(' ')}")
