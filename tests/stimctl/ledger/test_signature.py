"""Signatures over a session and the ledger's head."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stimctl.errors import LogFault, Misuse
from stimctl.ledger import Ledger
from stimctl.ledger import signature as s

pytest.importorskip("cryptography")

SIGN = """
import sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
print(load_pem_private_key(open(sys.argv[1], "rb").read(), None).sign(sys.stdin.buffer.read()).hex())
"""


@pytest.fixture
def key(tmp_path: Path) -> Path:
    s.make_key(tmp_path / "keys.pem")
    return tmp_path / "keys.pem"


def test_a_signature_vouches_for_all_before_it(ledger: Ledger, session: Callable[..., str], key: Path) -> None:
    one = session(ledger)
    public = s.public_key_of(Path(f"{key}.pub"))
    assert s.sign(ledger, one, s.by_key(key), "AO") == 9
    assert s.check(ledger, public) == [s.Checked(9, one, 8, None)]
    (other,) = s.check(ledger, bytes(32))
    assert other.fault == "it is by another key"
    assert ledger.verify().ok


def test_a_signature_made_elsewhere_by_a_command(ledger: Ledger, session: Callable[..., str], key: Path) -> None:
    signer = s.by_command(f"{sys.executable} -c '{SIGN}' {key}", s.public_key_of(key))
    s.sign(ledger, session(ledger), signer)
    assert [one.fault for one in s.check(ledger, s.public_key_of(key))] == [None]
    with pytest.raises(Misuse, match="failed"):
        s.sign(ledger, "s-1", s.by_command("false", bytes(32)))
    with pytest.raises(Misuse, match="neither 64 bytes"):
        s.sign(ledger, "s-1", s.by_command("echo !", bytes(32)))


def test_what_was_signed_and_then_written_anew_with_its_anchor_is_found(
    path: Path, session: Callable[..., str], key: Path
) -> None:
    """The one thing that chain and anchor cannot show."""
    with Ledger(path) as ledger:
        one = session(ledger)
        s.sign(ledger, one, s.by_key(key))
        (signed,) = ledger.of_kind("signed")
    for name in path.parent.iterdir():
        if name.is_file():
            name.unlink()
    with Ledger(path) as ledger:
        session(ledger, session_id=one, operator="somebody else")
        ledger.append(one, "signed", 0, signed.body)
        assert ledger.verify().ok
        assert [each.fault for each in s.check(ledger, s.public_key_of(key))] == [
            "entry 8 is not the one that was signed"
        ]


def test_a_signature_of_another_session_does_not_fit(ledger: Ledger, session: Callable[..., str], key: Path) -> None:
    one, other = session(ledger), session(ledger)
    s.sign(ledger, one, s.by_key(key))
    (signed,) = ledger.of_kind("signed")
    ledger.append(other, "signed", 0, signed.body)
    assert [each.fault for each in s.check(ledger, s.public_key_of(key))] == [None, "the signature does not fit"]


def test_a_broken_ledger_is_not_signed(path: Path, session: Callable[..., str], key: Path) -> None:
    with Ledger(path) as ledger:
        one = session(ledger)
    path.write_bytes(path.read_bytes().replace(b"contact is poor", b"contact is good"))
    with Ledger(path) as ledger, pytest.raises(LogFault, match="entry 5"):
        s.sign(ledger, one, s.by_key(key))


def test_a_key_beside_the_ledger_is_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="keep it elsewhere"):
        s.outside(path.parent / "keys" / "a.pem", path)
    s.outside(tmp_path / "a.pem", path)
    with pytest.raises(Misuse, match="is no private key"):
        s.by_key(Path(__file__))
    with pytest.raises(Misuse, match="cannot be read"):
        s.public_key_of(tmp_path / "none")
