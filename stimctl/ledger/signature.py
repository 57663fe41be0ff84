"""Ed25519 signatures over a session and the ledger's head, by a key that is kept outside the ledger.

Who signs vouches for the whole chain up to the head. A key that this user can read proves nothing against this user:
keep it on another machine or on a token, and give the command that signs there (`by_command`).
"""

import base64
import binascii
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from stimctl.entries import Signed
from stimctl.errors import Misuse
from stimctl.ledger.chain import canonical
from stimctl.ledger.store import Ledger
from stimctl.new_file import check_new, new_file, write_new

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

TITLE = b"stimctl session signature 1\n"
_COMMAND_S = 60.0  # a person may have to touch a token [choice]
_SIGNATURE_SIZE, _KEY_SIZE = 64, 32


class Signer(NamedTuple):
    """Whoever signs: a public key of 32 bytes, and what makes 64 bytes of a message."""

    public_key: bytes
    sign: Callable[[bytes], bytes]


class Checked(NamedTuple):
    """One "signed" entry, looked at with a key. `fault` says why it does not vouch; None: it does."""

    number: int
    session_id: str
    vouches_to: int
    fault: str | None


def message(session_id: str, number: int, head: str) -> bytes:
    """What is signed."""
    return TITLE + canonical({"head": head, "number": number, "session_id": session_id}).encode()


def sign(ledger: Ledger, session_id: str, signer: Signer, name: str | None = None) -> int:
    """Sign a session and all that the ledger holds by now; returns the number of the entry. Raises `Misuse`.

    A ledger that does not hold is not signed: `LogFault`.
    """
    ledger.require_whole()
    head = ledger.head()
    signature = signer.sign(message(session_id, head.number, head.hash.hex()))
    if len(signature) != _SIGNATURE_SIZE:
        raise Misuse(f"a signature has {_SIGNATURE_SIZE} bytes, and what was made has {len(signature)}")
    signed = Signed(
        number=head.number,
        head=head.hash.hex(),
        public_key=signer.public_key.hex(),
        signature=signature.hex(),
        signer=name,
    )
    if fault := _fault(session_id, signed, signer.public_key):
        raise Misuse(f"the signature that was made does not fit the public key: {fault}")
    return ledger.add(session_id, signed)


def check(ledger: Ledger, public_key: bytes) -> list[Checked]:
    """Every signature in the ledger, looked at with `public_key`."""
    return [_checked(ledger, entry.number, entry.session_id, Signed.read(entry.body), public_key)
            for entry in ledger.of_kind("signed")]  # fmt: skip


def _checked(ledger: Ledger, number: int, session_id: str, signed: Signed, public_key: bytes) -> Checked:
    fault = _fault(session_id, signed, public_key)
    if fault is None and ledger.hash_of(signed.number) != signed.head:
        fault = f"entry {signed.number} is not the one that was signed"
    return Checked(number, session_id, signed.number, fault)


def _fault(session_id: str, signed: Signed, public_key: bytes) -> str | None:
    ed25519 = _ed25519()
    from cryptography.exceptions import InvalidSignature

    if signed.public_key != public_key.hex():
        return "it is by another key"
    try:
        key: Ed25519PublicKey = ed25519.Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(bytes.fromhex(signed.signature), message(session_id, signed.number, signed.head))
    except (InvalidSignature, ValueError, TypeError):
        return "the signature does not fit"
    return None


# --- keys -------------------------------------------------------------------------------------------


def make_key(path: Path) -> bytes:
    """Make a private key in a new file of this user alone, and its public key in `path`.pub. Returns the public key."""
    from cryptography.hazmat.primitives import serialization as s

    key: Ed25519PrivateKey = _ed25519().Ed25519PrivateKey.generate()
    private = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    public = key.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo)
    public_path = Path(f"{path}.pub")
    for name in (path, public_path):
        check_new(name, "a key")
    # The public one takes its name last: it alone would be of no use.
    with new_file(public_path, force=False) as public_file:
        public_file.write(public)
        write_new(path, [private], force=False)
    public_path.chmod(0o644)
    return _raw(key.public_key())


def by_key(path: Path) -> Signer:
    """Who signs with the private key in a PEM file. Raises `Misuse`."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_read(path), None)
    except (ValueError, TypeError) as fault:
        raise Misuse(f"{path} is no private key that can be read (PEM, without a password): {fault}") from None
    if not isinstance(key, _ed25519().Ed25519PrivateKey):
        raise Misuse(f"{path} is no Ed25519 key")
    return Signer(_raw(key.public_key()), key.sign)


def by_command(command: str, public_key: bytes) -> Signer:
    """Who signs by a command: the message on its standard input, the signature (raw, hex or base64) on its output."""

    def run(text: bytes) -> bytes:
        try:
            done = subprocess.run(shlex.split(command), input=text, capture_output=True, timeout=_COMMAND_S, check=True)
        except (OSError, ValueError, subprocess.SubprocessError) as fault:
            said = getattr(fault, "stderr", None) or b""
            raise Misuse(f"the command that signs failed: {fault} {said.decode(errors='replace')}".rstrip()) from None
        return _signature_of(done.stdout)

    return Signer(public_key, run)


def _signature_of(output: bytes) -> bytes:
    if len(output) == _SIGNATURE_SIZE:
        return output
    text = output.strip()
    try:
        return (
            bytes.fromhex(text.decode("ascii"))
            if len(text) == 2 * _SIGNATURE_SIZE
            else base64.b64decode(text, validate=True)
        )
    except (ValueError, binascii.Error):
        raise Misuse("the command that signs gave neither 64 bytes, nor their hex, nor their base64") from None


def public_key_of(path: Path) -> bytes:
    """The public key in a PEM file, which may be that of the private key. Raises `Misuse`."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    ed25519, raw = _ed25519(), _read(path)
    if b"PRIVATE KEY" in raw:
        return by_key(path).public_key
    try:
        key = load_pem_public_key(raw)
    except ValueError as fault:
        raise Misuse(f"{path} is no public key (PEM): {fault}") from None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise Misuse(f"{path} is no Ed25519 key")
    return _raw(key)


def outside(key: Path, ledger: Path) -> None:
    """Raise `Misuse` where a key is kept beside the ledger: whoever can change the one has the other."""
    if ledger.parent.resolve() in key.resolve().parents:
        raise Misuse(f"{key} lies in the ledger's own folder; keep it elsewhere, best on another machine")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise Misuse(f"{path} cannot be read: {fault.strerror}") from None


def _raw(key: "Ed25519PublicKey") -> bytes:
    from cryptography.hazmat.primitives import serialization as s

    return key.public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)


def _ed25519() -> ModuleType:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError:
        raise Misuse("signatures need the package cryptography: pip install 'stimctl[sign]'") from None
    return ed25519
