"""Devices that break R-29 to R-32: loading, limits, digests and the self-test."""

from hashlib import sha256
from typing import Any

from firmware_sim.native.device import Device
from firmware_sim.native.loading import ProgramLoader
from firmware_sim.native.program import OutputProgram
from stimctl.wire import codec as m
from stimctl.wire.codes import DeviceState, Refusal
from tests.stimlab.conformance.mutants.mutant import mutant, saying


class Loads(Device):
    """Handles LoadSegment in its own way."""

    def segment(self, loading: ProgramLoader, order: m.LoadSegment) -> m.LoadSegment:
        """The segment as it is to be taken."""
        return order

    def _execute(self, order: Any, kind: int) -> object:
        loading = self.machine.loading
        if isinstance(order, m.LoadSegment) and loading is not None:
            answer = super()._execute(self.segment(loading, order), kind)
            return m.SegmentLoaded(*order, self.machine.now_us) if isinstance(answer, m.SegmentLoaded) else answer
        return super()._execute(order, kind)


@mutant("R-29", "takes segments in any order")
class AnyOrder(Loads):
    def segment(self, loading: ProgramLoader, order: m.LoadSegment) -> m.LoadSegment:
        return order._replace(index=len(loading._segments)) if order.index < 2 else order


@mutant("R-29", "closes a program that lacks a segment")
class ClosesEarly(Device):
    def _execute(self, order: Any, kind: int) -> object:
        answer = super()._execute(order, kind)
        loading = self.machine.loading
        if kind == 0x05 and isinstance(answer, m.Refused) and loading is not None:
            return m.ProgramDigest(
                sha256(m.digest_bytes(loading._header, loading._segments)).digest(), self.machine.now_us
            )
        return answer


@mutant("R-29", "keeps the segments of the program before")
class KeepsSegments(Device):
    def _execute(self, order: Any, kind: int) -> object:
        before = self.machine.loading
        answer = super()._execute(order, kind)
        after = self.machine.loading
        if isinstance(answer, m.ProgramOpen) and before is not None and after is not None:
            after._segments = before._segments[: answer.segment_count]
        return answer


def _widened(fields: dict[str, int], within: dict[str, int]) -> type[Loads]:
    """A device that takes `fields` for `within`, and says that it did not."""

    class Widened(Loads):
        def segment(self, loading: ProgramLoader, order: m.LoadSegment) -> m.LoadSegment:
            asked = order._asdict()
            return order._replace(**within) if all(asked[name] == fields[name] for name in fields) else order

    return Widened


for _fields, _within in (
    ({"period_us": 9_999}, {"period_us": 10_000}),
    ({"period_us": 1_000_001}, {"period_us": 1_000_000}),
    ({"width_us": 99}, {"width_us": 100}),
    ({"width_us": 601}, {"width_us": 600, "second_width_us": 600}),
    ({"interphase_gap_us": 101}, {"interphase_gap_us": 100}),
    ({"second_width_us": 1_201}, {"second_width_us": 1_200}),
    ({"dwell_us": 499_999}, {"dwell_us": 500_000}),
    ({"dwell_us": 505_000}, {"dwell_us": 500_000}),
    ({"dwell_us": 60_000_001}, {"dwell_us": 60_000_000}),
):
    mutant("R-30", f"takes {_fields}")(_widened(_fields, _within))


@mutant("R-30", "refuses 100 Hz")
class RefusesTheLimit(Device):
    def _execute(self, order: Any, kind: int) -> object:
        if kind == 0x04 and order.period_us == 1_000_000:
            return m.Refused(kind, Refusal.ABOVE_LIMIT, order.period_us, 999_999)
        return super()._execute(order, kind)


@mutant("R-30", "takes four channels")
class FourChannels(Device):
    def _execute(self, order: Any, kind: int) -> object:
        if isinstance(order, m.LoadProgram) and order.channel_mask == 0b1111:
            super()._execute(order._replace(channel_mask=0b111), kind)
            return m.ProgramOpen(*order, self.machine.now_us)
        return super()._execute(order, kind)


@mutant("R-30", "takes a steeper ramp")
class Steep(Device):
    def _execute(self, order: Any, kind: int) -> object:
        if isinstance(order, m.LoadProgram) and order.ramp_slope_ua_per_s > 380:
            super()._execute(order._replace(ramp_slope_ua_per_s=380), kind)
            return m.ProgramOpen(*order, self.machine.now_us)
        return super()._execute(order, kind)


@mutant("R-30", "forgets what it had when it refuses a program")
class ForgetsOnRefusal(Device):
    def _execute(self, order: Any, kind: int) -> object:
        answer = super()._execute(order, kind)
        if kind == 0x03 and isinstance(answer, m.Refused):
            self.machine.state, self.machine.loading = DeviceState.IDLE, None
        return answer


mutant("R-30", "names no limit")(saying(m.Refused, lambda message: message._replace(limit=0)))


class Digests(ProgramLoader):
    """Seals with another digest."""

    def digested(self) -> bytes:
        raise NotImplementedError

    def seal(self) -> tuple[OutputProgram, bytes]:
        program, _ = super().seal()
        return program, sha256(self.digested()).digest()


class _WithKinds(Digests):
    def digested(self) -> bytes:
        return b"".join(
            m.SHAPE_OF[type(item)].packer.pack(m.SHAPE_OF[type(item)].kind, 0, *item)
            for item in (self._header, *self._segments)
        )


class _HeaderOnly(Digests):
    def digested(self) -> bytes:
        return m.digest_bytes(self._header, self._segments[:1])


class _Sorted(Digests):
    def digested(self) -> bytes:
        return m.digest_bytes(self._header, self._segments[::-1])


def _digesting(loading: type[Digests]) -> type[Device]:
    class Digesting(Device):
        def _execute(self, order: Any, kind: int) -> object:
            answer = super()._execute(order, kind)
            if isinstance(answer, m.ProgramOpen):
                self.machine.loading = loading(order)
            return answer

    return Digesting


mutant("R-31", "digests the headers too")(_digesting(_WithKinds))
mutant("R-31", "digests the first segment alone")(_digesting(_HeaderOnly))
mutant("R-31", "digests the segments backwards")(_digesting(_Sorted))


mutant("R-32", "lets current flow in its self-test")(
    saying(m.SelfTestDone, lambda message: message._replace(zero_ua=120))
)


mutant("R-32", "is TESTED with a fault found")(saying(m.SelfTestDone, lambda message: message._replace(failures=1)))


mutant("R-32", "leaves a current behind after its self-test")(
    saying(m.Status, lambda message: message._replace(zero=0) if message.state == DeviceState.TESTED else message)
)
