"""What is held in memory while state.db cannot be written."""

from __future__ import annotations

from tallyd.adapters.state import Recorded
from tallyd.storage.held import Held, HeldChanges


def test_slots_and_memory_are_those_of_the_job_that_is_asked_for_and_the_newest() -> None:
    held = HeldChanges()
    changes = [
        Held(frozenset({("gate", "count", "08:00")}), Recorded, {"seen": 1}),
        Held(frozenset({("gate", "count", "09:00"), ("gate", "count", "10:00")}), Recorded, {"seen": 2}),
        Held(frozenset({("gate", "count", None)}), Recorded),
        Held(frozenset({("gate", "report", "11:00")}), Recorded, {"sent": 3}),
        Held(frozenset({("door", "count", "12:00")}), Recorded, {"seen": 4}),
        Held(frozenset(), Recorded),
    ]
    for change in changes:
        held.add(change)
    assert held.slots("gate", "count") == {"08:00", "09:00", "10:00"}
    assert held.memory("gate", "count") == {"seen": 2}
    assert held.memory("door", "report") is None
    assert held.slot_keys() == [["08:00"], ["09:00", "10:00"], [""], ["11:00"], ["12:00"]]
    for change in changes:
        assert held.oldest() is change
        held.discard(change)
    assert (held.oldest(), bool(held), held.slot_keys()) == (None, False, [])
