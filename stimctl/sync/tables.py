"""The far end's tables that are written. `migrations/` makes them; docs/exchange.md says what they mean."""

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Integer, LargeBinary, MetaData, Table, Text

SCHEMA = "stimctl"
_META = MetaData(schema=SCHEMA)

MACHINES = Table(
    "machines",
    _META,
    Column("machine", Text, primary_key=True),
    Column("anchor_number", BigInteger),
    Column("anchor_hash", LargeBinary),
    Column("synced_utc", DateTime(timezone=True)),
    Column("software", Text),
)
ENTRIES = Table(
    "entries",
    _META,
    Column("machine", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("session_id", Text),
    Column("kind", Text),
    Column("at_us", BigInteger),
    Column("utc", Text),
    Column("body", Text),
    Column("previous", LargeBinary),
    Column("hash", LargeBinary, primary_key=True),
)
_TEXTS = (
    *("watermark", "state", "delivery", "delivered_standing", "end_reason", "subject", "pseudonym", "profile_id"),
    *("profile_version", "device_model", "device_serial", "device_firmware", "device_session"),
)
SESSIONS = Table(
    "sessions",
    _META,
    Column("machine", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    *(Column(name, Text) for name in _TEXTS),
    *(Column(name, BigInteger) for name in ("delivered_pc", "commanded_pc", "stimulated_us")),
    *(Column(name, DateTime(timezone=True)) for name in ("started_utc", "ended_utc", "last_seen_utc")),
    Column("device_calibrated_on", Date),
    Column("calibration_due_on", Date),
    Column("counts", Boolean),
)
ALARMS = Table(
    "session_alarms",
    _META,
    Column("machine", Text, primary_key=True),
    Column("session_id", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("priority", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("watermark", Text),
    Column("alarms", Integer),
)
