"""The StimJim adapter's table is whole."""

from stimctl.stimulators.stimjim import adapter, dialects


def test_each_row_of_the_table_has_somebody_who_takes_it() -> None:
    takers = set(adapter._TABLE.values())
    for dialect in dialects.DIALECTS.values():
        assert all(callable(getattr(dialect, name)) for name in takers)
    assert {state for state, _said in adapter._TABLE} == set(adapter.DialogState) - {adapter.DialogState.UNKNOWN}
