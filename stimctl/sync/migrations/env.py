"""Alembic's way in: it runs the steps over the connection, and in the transaction, that `upgrade` gives it."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="stimctl")
context.run_migrations()
