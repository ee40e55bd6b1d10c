"""Which table of an older program is read, and which of its columns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from tallyd.core.language.messages import tr
from tallyd.core.texts import listed
from tallyd.imports.values import OldDataError

Row: TypeAlias = "Sequence[object]"
"""The values of the wanted columns, in their order; None: it has none."""
Places: TypeAlias = "Sequence[int | None]"
"""Where the wanted columns are in a table; None: it has none."""

_MOST_NAMED: Final = 10


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which table is read, and which of its columns, each by the names that it may have (in lower case).

    `needed` are groups of columns: a table must have one of each. `names`: how the table is called, in lower
    case; empty: any table that has the columns. `only`: the name that a person gave.
    """

    columns: Mapping[str, Sequence[str]]
    needed: Sequence[Sequence[str]]
    names: frozenset[str] = frozenset()
    only: str = ""

    def find(self, tables: Mapping[str, Collection[str]], place: str) -> tuple[str, Places]:
        """Return the table, of those with these columns, and where its wanted columns are.

        The name is empty if there is none. Raises `OldDataError` if there are two, and for the wanted one
        without the columns.
        """
        fitting = {name: found for name, own in tables.items() if (found := self._places(name, own, place))}
        if len(fitting) > 1:
            raise OldDataError(
                tr(
                    "{place}: the data may be in the tables {tables}; choose one with --table",
                    place=place,
                    tables=listed([*fitting]),
                )
            )
        return next(iter(fitting.items()), ("", ()))

    def missing(self, tables: Collection[str], place: str) -> OldDataError:
        """Return what to raise if none of these is the table."""
        there_are = listed([*tables][:_MOST_NAMED], more=max(0, len(tables) - _MOST_NAMED))
        if name := self.only or next(iter(self.names), ""):
            return OldDataError(
                tr(
                    "{place}: there is no table {table}[; its tables: {tables}; choose one with --table]",
                    place=place,
                    table=name,
                    tables=there_are,
                )
            )
        return OldDataError(
            tr(
                "{place}: there is no table with the columns {columns}[; its tables: {tables}]",
                place=place,
                columns=self.shown(self.needed),
                tables=there_are,
            )
        )

    def _places(self, name: str, own: Collection[str], place: str) -> Places:
        is_named = name == self.only if self.only else name.casefold() in self.names
        if not is_named and (self.only or self.names):
            return ()
        at = {column.casefold(): number for number, column in reversed([*enumerate(own)])}
        places = {
            key: next((at[each] for each in names if each in at), None) for key, names in self.columns.items()
        }
        lacking = [group for group in self.needed if all(places[key] is None for key in group)]
        if lacking and is_named:
            raise OldDataError(
                tr(
                    "{place}: the table {table} lacks the columns {columns}",
                    place=place,
                    table=name,
                    columns=self.shown(lacking),
                )
            )
        return () if lacking else [*places.values()]

    def shown(self, groups: Sequence[Sequence[str]]) -> str:
        """Return groups of columns by their first names."""
        return listed(["/".join(self.columns[key][0] for key in group) for group in groups])
