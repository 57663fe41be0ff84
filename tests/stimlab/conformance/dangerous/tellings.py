"""Devices that do all they must and tell plausible figures that are not true."""

from collections.abc import Callable, Iterable
from typing import Any

from stimctl.wire.codec import Channel, Measured, SessionRecord, Status
from tests.stimlab.conformance.dangerous.device import DANGEROUS, Dangerous
from tests.stimlab.conformance.mutants.altered import Altered, Said

Change = Callable[[Any], dict[str, int]]


def _telling(kind: type[Any], change: Change) -> type[Altered]:
    class Telling(Altered):
        def says(self, sequence: int, message: Any) -> Iterable[Said]:
            if isinstance(message, kind):
                message = message._replace(**change(message))
            return ((sequence, message),)

    return Telling


def _list(requirement: str, words: str, text: str, kind: type[Any], change: Change) -> None:
    DANGEROUS.append(Dangerous(requirement, words, text, _telling(kind, change)))


_LEFT, _SWITCH = "its time left and its stimulation do not make up", "the time to its next switch of segment is wrong"
_OHM, _ENERGY = "reads another resistance", "an energy that does not fit"
_list("R-65", _LEFT, "tells no time left", Status, lambda _: {"time_left_us": 0})
_list("R-65", _LEFT, "tells a hundred seconds too much", Status, lambda m: {"time_left_us": m.time_left_us + 10**8})
_list("R-65", _SWITCH, "tells twice the time to a switch", Status, lambda m: {"segment_left_us": 2 * m.segment_left_us})
_list("R-65", "the age of the keepalive", "tells no age of a keepalive", Status, lambda _: {"keepalive_age_ms": 0})
_list("R-65", "another session, boot or channels", "tells all channels", Status, lambda _: {"active_mask": 0b1111})
_list("R-65", _OHM, "reads no resistance", Channel, lambda _: {"ohm": 0})
_list("R-65", _OHM, "reads a third too much", Channel, lambda m: {"ohm": min(m.ohm * 4 // 3, 0xFFFF)})
_list("R-65", "flags of a fault", "tells every fault", Channel, lambda _: {"flags": 0b1_1111})
_list("R-65", "does not tell which fault", "tells no fault", Channel, lambda _: {"flags": 0})
_list("R-68", _ENERGY, "measures no energy", Measured, lambda _: {"energy_nj": 0})
_list("R-68", _ENERGY, "measures a thousand times the energy", Measured, lambda m: {"energy_nj": m.energy_nj * 1_000})
_list("R-69", "tells another nonce", "records no nonce", SessionRecord, lambda _: {"nonce": 0})
_list("R-69", "tells another digest_head", "records no digest", SessionRecord, lambda _: {"digest_head": 0})
_list("R-69", "tells another boot_id", "records no boot", SessionRecord, lambda _: {"boot_id": 0})
_list("R-69", "tells another ceiling_ua", "records no ceiling", SessionRecord, lambda _: {"ceiling_ua": 0})
