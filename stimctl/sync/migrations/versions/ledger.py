"""Entries of many machines, each as it was hashed and where it belongs; their sessions in rows; the clinic's views.

The database itself refuses an entry that is not what was hashed, that does not follow, or that comes twice, and any
change of one. `chain_faults` looks at all that is there by the same rules, for whoever got round them.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# As `stimctl.ledger.chain.link`: the texts but the body are plain ASCII, for which to_json adds quotes alone.
_HASH = """
CREATE FUNCTION stimctl.entry_hash(
    previous bytea, number bigint, session_id text, kind text, at_us bigint, utc text, body text
) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(previous || convert_to(
        '[' || concat_ws(',', number, to_json(session_id), to_json(kind), at_us, to_json(utc), body) || ']', 'UTF8'
    ))
$$
"""
_MACHINES = """
CREATE TABLE stimctl.machines (
    machine text PRIMARY KEY,
    anchor_number bigint,
    anchor_hash bytea,
    synced_utc timestamptz,
    software text
)
"""
_ENTRIES = """
CREATE TABLE stimctl.entries (
    machine text NOT NULL REFERENCES stimctl.machines,
    number bigint NOT NULL CHECK (number > 0),
    session_id text NOT NULL,
    kind text NOT NULL,
    at_us bigint NOT NULL,
    utc text NOT NULL,
    body text NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (machine, number, hash),
    CONSTRAINT entry_is_what_was_hashed
        CHECK (hash = stimctl.entry_hash(previous, number, session_id, kind, at_us, utc, body))
)
"""
# All entries of a statement at once, after it. The lock lets one writer of a machine in at a time. A number may be left
# out: a "sealed" entry tells of lost ones, and may follow an entry that was lost.
_FOLLOW = """
CREATE FUNCTION stimctl.entries_follow() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong record;
BEGIN
    PERFORM 1 FROM stimctl.machines m WHERE m.machine IN (SELECT a.machine FROM added a) FOR UPDATE;
    SELECT n.machine, n.number INTO wrong FROM (
        SELECT machine, min(number) AS number, count(DISTINCT number) AS entries FROM added GROUP BY machine
    ) AS n
    WHERE n.entries <> (SELECT count(*) FROM stimctl.entries e WHERE e.machine = n.machine AND e.number >= n.number);
    IF FOUND THEN
        RAISE EXCEPTION 'entry % of % is there already, or is followed', wrong.number, wrong.machine;
    END IF;
    SELECT a.machine, a.number INTO wrong FROM added a LEFT JOIN LATERAL (
        SELECT e.number, e.hash FROM stimctl.entries e
        WHERE e.machine = a.machine AND e.number < a.number ORDER BY e.number DESC LIMIT 1
    ) AS before ON true
    WHERE a.number = coalesce(before.number, 0) + 1 AND a.kind <> 'sealed'
        AND a.previous <> coalesce(before.hash, decode(repeat('00', 32), 'hex'))
    ORDER BY a.number LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'entry % of % does not follow from the one before it', wrong.number, wrong.machine;
    END IF;
    RETURN NULL;
END $$
"""
_NEVER = """
CREATE FUNCTION stimctl.entries_never_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'entries are never changed';
END $$
"""
_TRIGGERS = (
    """CREATE TRIGGER entries_follow AFTER INSERT ON stimctl.entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION stimctl.entries_follow()""",
    """CREATE TRIGGER entries_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON stimctl.entries
    FOR EACH STATEMENT EXECUTE FUNCTION stimctl.entries_never_change()""",
    "CREATE INDEX entries_of_session ON stimctl.entries (machine, session_id)",
)
_FAULTS = """
CREATE FUNCTION stimctl.chain_faults(of_machine text) RETURNS TABLE (number bigint, fault text)
LANGUAGE sql STABLE AS $$
    WITH followed AS (
        SELECT e.*,
            coalesce(lag(e.number) OVER w, 0) AS before_number,
            coalesce(lag(e.hash) OVER w, decode(repeat('00', 32), 'hex')) AS before_hash
        FROM stimctl.entries e WHERE e.machine = of_machine WINDOW w AS (ORDER BY e.number)
    ), sealed AS (
        SELECT (gap->>0)::bigint AS first, (gap->>1)::bigint AS last
        FROM stimctl.entries e, jsonb_array_elements(e.body::jsonb->'missing') gap
        WHERE e.machine = of_machine AND e.kind = 'sealed'
    )
    SELECT f.number, CASE
        WHEN f.hash <> stimctl.entry_hash(f.previous, f.number, f.session_id, f.kind, f.at_us, f.utc, f.body)
            THEN 'is not what was hashed'
        WHEN f.number <= f.before_number THEN 'is there twice'
        WHEN f.number = f.before_number + 1 THEN 'does not follow'
        ELSE 'is behind a gap that no entry seals' END
    FROM followed f
    WHERE f.hash <> stimctl.entry_hash(f.previous, f.number, f.session_id, f.kind, f.at_us, f.utc, f.body)
        OR f.number <= f.before_number
        OR (f.number = f.before_number + 1 AND f.previous <> f.before_hash AND f.kind <> 'sealed')
        OR (f.number > f.before_number + 1 AND NOT EXISTS (
            SELECT FROM sealed s WHERE s.first <= f.before_number + 1 AND s.last >= f.number - 1))
    UNION ALL
    SELECT m.anchor_number, 'was anchored, and is not there as it was' FROM stimctl.machines m
    WHERE m.machine = of_machine AND m.anchor_number > 0
        AND NOT EXISTS (SELECT FROM stimctl.entries e
            WHERE e.machine = of_machine AND e.number = m.anchor_number AND e.hash = m.anchor_hash)
    ORDER BY 1
$$
"""
# `counts` is false for another record of the same session of the same device: that session counts once.
_SESSIONS = """
CREATE TABLE stimctl.sessions (
    machine text NOT NULL REFERENCES stimctl.machines,
    session_id text NOT NULL,
    watermark text NOT NULL,
    state text NOT NULL,
    delivery text NOT NULL CHECK (delivery IN ('none', 'commanded', 'confirmed', 'uncertain')),
    delivered_standing text NOT NULL,
    end_reason text,
    subject text,
    pseudonym text,
    profile_id text,
    profile_version text,
    device_model text,
    device_serial text,
    device_firmware text,
    device_session text,
    delivered_pc bigint,
    commanded_pc bigint,
    stimulated_us bigint,
    started_utc timestamptz,
    ended_utc timestamptz,
    last_seen_utc timestamptz,
    device_calibrated_on date,
    calibration_due_on date,
    counts boolean NOT NULL DEFAULT true,
    PRIMARY KEY (machine, session_id),
    CONSTRAINT confirmed_has_a_dose CHECK (delivery <> 'confirmed' OR delivered_pc IS NOT NULL)
)
"""
_ALARMS = """
CREATE TABLE stimctl.session_alarms (
    machine text NOT NULL,
    session_id text NOT NULL,
    source text NOT NULL,
    priority text NOT NULL,
    kind text NOT NULL,
    watermark text NOT NULL,
    alarms integer NOT NULL,
    PRIMARY KEY (machine, session_id, source, priority, kind),
    FOREIGN KEY (machine, session_id) REFERENCES stimctl.sessions
)
"""
# Each view is answered out of one index.
_INDEXES = (
    """CREATE INDEX sessions_by_device ON stimctl.sessions (device_model, device_serial, watermark)
    INCLUDE (delivery, started_utc, device_calibrated_on, calibration_due_on) WHERE counts""",
    """CREATE INDEX sessions_by_protocol ON stimctl.sessions (profile_id, profile_version, watermark)
    INCLUDE (delivery, delivered_pc) WHERE counts""",
    """CREATE INDEX sessions_of_device ON stimctl.sessions (device_session) WHERE device_session IS NOT NULL""",
    """CREATE INDEX session_alarms_by_kind ON stimctl.session_alarms (source, priority, kind, watermark)
    INCLUDE (alarms)""",
)
_STATES = """count(*) AS sessions,
    count(*) FILTER (WHERE delivery = 'confirmed') AS confirmed,
    count(*) FILTER (WHERE delivery = 'uncertain') AS uncertain,
    count(*) FILTER (WHERE delivery = 'commanded') AS commanded,
    count(*) FILTER (WHERE delivery = 'none') AS nothing_armed"""
# A total is there only where every delivery in it is known; else the confirmed part stands under its own name.
_VIEWS = (
    f"""CREATE VIEW stimctl.sessions_per_device AS
    SELECT device_model, device_serial, watermark, {_STATES},
        min(started_utc) AS first_started_utc, max(started_utc) AS last_started_utc
    FROM stimctl.sessions WHERE counts GROUP BY device_model, device_serial, watermark""",
    f"""CREATE VIEW stimctl.dose_by_protocol AS
    SELECT *, CASE WHEN uncertain = 0 AND commanded = 0 THEN coalesce(confirmed_pc, 0) END AS delivered_pc FROM (
        SELECT profile_id, profile_version, watermark, {_STATES},
            sum(delivered_pc) FILTER (WHERE delivery = 'confirmed') AS confirmed_pc
        FROM stimctl.sessions WHERE counts GROUP BY profile_id, profile_version, watermark
    ) AS by_protocol""",
    """CREATE VIEW stimctl.device_calibration AS
    SELECT *, current_date - calibrated_on AS age_days FROM (
        SELECT device_model, device_serial, watermark, max(device_calibrated_on) AS calibrated_on,
            max(calibration_due_on) AS due_on, max(started_utc) AS last_started_utc
        FROM stimctl.sessions WHERE counts GROUP BY device_model, device_serial, watermark
    ) AS by_device""",
    """CREATE VIEW stimctl.devices_past_due AS
    SELECT * FROM stimctl.device_calibration WHERE due_on IS NULL OR due_on < current_date""",
    """CREATE FUNCTION stimctl.devices_out_of_calibration(most_days integer) RETURNS SETOF stimctl.device_calibration
    LANGUAGE sql STABLE AS
    $$ SELECT * FROM stimctl.device_calibration WHERE calibrated_on IS NULL OR age_days > most_days $$""",
    """CREATE VIEW stimctl.alarms_by_kind AS
    SELECT source, priority, kind, watermark, sum(alarms) AS alarms, count(*) AS sessions
    FROM stimctl.session_alarms GROUP BY source, priority, kind, watermark""",
)


def upgrade() -> None:
    """All of it."""
    statements = (_HASH, _MACHINES, _ENTRIES, _FOLLOW, _NEVER, *_TRIGGERS, _FAULTS, _SESSIONS, _ALARMS)
    for statement in (*statements, *_INDEXES, *_VIEWS):
        op.execute(statement)


def downgrade() -> None:
    """Never: dropping these tables would drop doses."""
    raise NotImplementedError("the far end's entries are not dropped by a program")
