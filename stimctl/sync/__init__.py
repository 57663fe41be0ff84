"""Copies this machine's dose log into a PostgreSQL that many machines share. The local ledger stays first, unchanged.

far.py          the far database: its address, its connection, its faults in words
migrations/     its tables, triggers and views, as Alembic makes them
tables.py       the tables that are written
summaries.py    a session in a row
push.py         what the far end lacks is sent, in order, and what contradicts it is told
"""
