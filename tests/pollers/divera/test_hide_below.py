"""No hidden count can be worked out: an attacker who tries every possible table finds two numbers for each.

A table says how many people are on each of n statuses. The attacker knows the rule and k, and that there are
n statuses; he lists every table that gives the very files he holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.hiding import GAPS, attacked
from tallyd.pollers.divera.counting import hide_qualifications, hide_small

Table = tuple[int, ...]
Shown = tuple[tuple[str, int | None], ...]


def counts_of(table: Table, *, zeros: bool) -> dict[str, int]:
    """Return a table as counts by status. The list of users names no empty status, a monitor does."""
    return {str(place): count for place, count in enumerate(table, start=1) if count or zeros}


@cache
def file_of(table: Table, k: int, zeros: bool) -> Shown:
    return tuple(hide_small(counts_of(table, zeros=zeros), k).items())


@cache
def tables(statuses: int, people: int) -> tuple[Table, ...]:
    """Every way in which so many people can be on so many statuses."""
    if statuses == 1:
        return ((people,),)
    return tuple(
        (first, *rest) for first in range(people + 1) for rest in tables(statuses - 1, people - first)
    )


def possible(tables_left: list[Table], place: int) -> set[int]:
    return {table[place] for table in tables_left}


BELOW_THREE = {
    "nobody": ({}, {}),
    "zeros-are-shown": ({"1": 0, "2": 0}, {"1": 0, "2": 0}),
    "nothing-small": ({"1": 12, "2": 3}, {"1": 12, "2": 3}),
    "one-small-hides-the-next": ({"1": 12, "2": 4, "none": 1}, {"1": 12, "2": None, "none": None}),
    "and-its-equals": ({"1": 12, "2": 4, "3": 4, "4": 1}, {"1": 12, "2": None, "3": None, "4": None}),
    "two-different-are-enough": ({"1": 9, "2": 2, "3": 1}, {"1": 9, "2": None, "3": None}),
    "three-ones-are-not": (
        {"1": 9, "2": 1, "3": 1, "4": 1, "5": 5},
        {"1": 9, "2": None, "3": None, "4": None, "5": None},
    ),
    "only-zeros-left-to-see": ({"1": 9, "2": 0, "3": 1}, {}),
    "only-ones": ({"1": 1, "2": 1}, {}),
    "only-small-ones": ({"1": 1, "2": 2}, {}),
    "a-single-status": ({"1": 2}, {}),
}


@pytest.mark.parametrize(("counts", "shown"), BELOW_THREE.values(), ids=BELOW_THREE)
def test_what_a_file_shows_below_three(counts: Mapping[str, int], shown: Mapping[str, int | None]) -> None:
    assert hide_small(counts, 3) == shown


@pytest.mark.parametrize("k", [0, 1, 2])
def test_a_limit_below_three_hides_nothing_and_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match="could only be 1"):
        hide_small({"1": 1}, k)


@given(
    st.dictionaries(st.integers(1, 9).map(str), st.integers(0, 30)),
    st.integers(3, 8),
)
def test_no_small_count_is_ever_shown_and_no_shown_count_is_changed(counts: dict[str, int], k: int) -> None:
    for status, shown in hide_small(counts, k).items():
        assert shown is None or shown == counts[status]
        assert shown is None or not 0 < shown < k


@pytest.mark.parametrize("zeros", [True, False], ids=["monitor", "users"])
@given(table=st.lists(st.integers(0, 6), min_size=2, max_size=4).map(tuple), k=st.integers(3, 5))
@settings(deadline=None)
def test_one_file_and_the_number_of_people_leave_two_numbers(zeros: bool, table: Table, k: int) -> None:
    file = file_of(table, k, zeros)
    left = [each for each in tables(len(table), sum(table)) if file_of(each, k, zeros) == file]
    for place, count in enumerate(table):
        assert not 0 < count < k or len(possible(left, place)) >= 2, (file, left)


@pytest.mark.parametrize("zeros", [True, False], ids=["monitor", "users"])
@given(data=st.data(), statuses=st.integers(1, 3), people=st.integers(1, 9), k=st.integers(3, 5))
@settings(deadline=None)
def test_two_successive_files_of_the_same_people_leave_two_numbers(
    zeros: bool, data: st.DataObject, statuses: int, people: int, k: int
) -> None:
    first, second = (data.draw(st.sampled_from(tables(statuses, people))) for _ in range(2))
    # The attacker does not know how many there are, only that there are as many in both files.
    pairs = [
        pair
        for guess in range(people + k + 2)
        for pair in product(
            (each for each in tables(statuses, guess) if file_of(each, k, zeros) == file_of(first, k, zeros)),
            (
                each
                for each in tables(statuses, guess)
                if file_of(each, k, zeros) == file_of(second, k, zeros)
            ),
        )
    ]
    for which, table in enumerate((first, second)):
        left = [pair[which] for pair in pairs]
        for place, count in enumerate(table):
            assert not 0 < count < k or len(possible(left, place)) >= 2, (first, second, left)


@given(data=st.data(), table=st.lists(st.integers(0, 6), min_size=2, max_size=5), k=st.integers(3, 5))
def test_hidden_counts_can_change_places_without_changing_the_file(
    data: st.DataObject, table: list[int], k: int
) -> None:
    file = file_of(tuple(table), k, True)
    hidden = [int(status) - 1 for status, shown in file if shown is None]
    other = list(table)
    for place, source in zip(hidden, data.draw(st.permutations(hidden)), strict=True):
        other[place] = table[source]
    assert file_of(tuple(other), k, True) == file


def test_the_attacker_finds_out_a_rule_that_hides_one_more_only_beside_a_single_hidden_one() -> None:
    def simpler(table: Table) -> Table:
        small = [place for place, count in enumerate(table) if 0 < count < 3]
        if len(small) == 1:
            small.append(min((count, place) for place, count in enumerate(table) if count >= 3)[1])
        return tuple(-1 if place in small else count for place, count in enumerate(table))

    table = (1, 1, 1, 5)
    assert [each for each in tables(4, 8) if simpler(each) == simpler(table)] == [table]


@dataclass(frozen=True)
class World:
    """How many people are on each status, and how many of them have the one qualification."""

    people: Table
    qualified: Table

    def file(self, k: int) -> tuple[Shown, str]:
        shown = hide_small(counts_of(self.people, zeros=True), k)
        having = {str(place): {"9": count} for place, count in enumerate(self.qualified, start=1) if count}
        return tuple(shown.items()), repr(hide_qualifications(having, shown=shown, k=k))


@cache
def worlds(statuses: int, people: int) -> tuple[World, ...]:
    return tuple(
        World(table, qualified)
        for table in tables(statuses, people)
        for qualified in product(*(range(count + 1) for count in table))
    )


@cache
def worlds_by_file(statuses: int, people: int, k: int) -> Mapping[tuple[Shown, str], tuple[World, ...]]:
    found: dict[tuple[Shown, str], list[World]] = {}
    for world in worlds(statuses, people):
        found.setdefault(world.file(k), []).append(world)
    return {file: tuple(each) for file, each in found.items()}


@cache
def worlds_on_two_statuses(statuses: int, people: int) -> tuple[World, ...]:
    """The worlds in which people are on at least two statuses."""
    return tuple(each for each in worlds(statuses, people) if sum(count > 0 for count in each.people) >= 2)


@cache
def worlds_by_sum(statuses: int, people: int) -> Mapping[int, tuple[World, ...]]:
    """The worlds, by how many people have the qualification."""
    found: dict[int, list[World]] = {}
    for world in worlds(statuses, people):
        found.setdefault(sum(world.qualified), []).append(world)
    return {total: tuple(each) for total, each in found.items()}


def unresolved(world: World, left: list[World], k: int) -> Iterator[bool]:
    """Yield, for each small number of a world, whether two are still possible."""
    for place in range(len(world.people)):
        if 0 < world.people[place] < k:
            yield len({each.people[place] for each in left}) >= 2
        if 0 < world.qualified[place] < k:
            yield len({each.qualified[place] for each in left}) >= 2


@given(data=st.data(), statuses=st.integers(2, 3), people=st.integers(3, 11), k=st.integers(3, 4))
@settings(deadline=None)
def test_sums_of_people_and_of_the_qualified_leave_two_numbers(
    data: st.DataObject, statuses: int, people: int, k: int
) -> None:
    world = data.draw(st.sampled_from(worlds_on_two_statuses(statuses, people)))
    left = [
        each
        for each in worlds_by_file(statuses, people, k)[world.file(k)]
        if sum(each.qualified) == sum(world.qualified)
    ]
    assert all(unresolved(world, left, k)), (world, left)


@given(data=st.data(), statuses=st.integers(2, 3), people=st.integers(3, 9), k=st.integers(3, 4))
@settings(deadline=None)
def test_two_files_with_the_same_sums_of_the_qualified_leave_two_numbers(
    data: st.DataObject, statuses: int, people: int, k: int
) -> None:
    first = data.draw(st.sampled_from(worlds(statuses, people)))
    second = data.draw(st.sampled_from(worlds_by_sum(statuses, people)[sum(first.qualified)]))
    firsts, seconds = (worlds_by_file(statuses, people, k)[each.file(k)] for each in (first, second))
    common = {sum(each.qualified) for each in firsts} & {sum(each.qualified) for each in seconds}
    for world, left in ((first, firsts), (second, seconds)):
        assert all(unresolved(world, [each for each in left if sum(each.qualified) in common], k))


SHOWN = {"1": 12, "2": 9, "3": None, "4": None, "5": 0}


QUALIFICATIONS = {
    "none-listed": ({}, {"3": None, "4": None}),
    "a-hidden-status-is-null-as-a-whole": (
        {"1": {"2": 5}, "2": {"2": 3}, "3": {"2": 1}},
        {"1": {"2": 5}, "2": {"2": 3}, "3": None, "4": None},
    ),
    "a-small-number-hides-its-qualification-everywhere": (
        {"1": {"2": 5, "7": 4}, "2": {"2": 1}},
        {"1": {"2": None, "7": 4}, "2": {"2": None}, "3": None, "4": None},
    ),
    "even-where-it-was-not-listed": (
        {"1": {"2": 1}},
        {"1": {"2": None}, "2": {"2": None}, "3": None, "4": None},
    ),
    "all-but-one-tells-as-much-as-one": (
        {"1": {"2": 5}, "2": {"2": 8}},
        {"1": {"2": None}, "2": {"2": None}, "3": None, "4": None},
    ),
    "one-that-only-the-hidden-have-is-not-named": ({"3": {"2": 1}, "5": {"2": 0}}, {"3": None, "4": None}),
}


@pytest.mark.parametrize(("having", "safe"), QUALIFICATIONS.values(), ids=QUALIFICATIONS)
def test_which_qualifications_a_file_shows(
    having: Mapping[str, Mapping[str, int]], safe: Mapping[str, object]
) -> None:
    assert hide_qualifications(having, shown=SHOWN, k=3) == safe


def test_beside_a_single_shown_status_hidden_ones_hide_all_qualifications() -> None:
    shown = {"1": 12, "2": None, "3": None, "4": 0}
    assert hide_qualifications({"1": {"2": 6}}, shown=shown, k=3) == {"1": None, "2": None, "3": None}


def test_where_no_count_is_shown_no_qualification_is() -> None:
    assert hide_qualifications({"1": {"2": 6}}, shown={}, k=3) == {}


def test_who_compares_file_with_file_finds_less_than_by_a_rule_that_hides_only_small_counts() -> None:
    right, sure = attacked("hide_below", GAPS["six hours"], alerts=True, units=20, seed=1)
    naive_right, naive_sure = attacked("nulls", GAPS["six hours"], alerts=True, units=20, seed=1)
    assert right < naive_right - 0.1
    assert sure < naive_sure / 2
