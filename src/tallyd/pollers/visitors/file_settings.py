"""The settings of the files of a visitors poller: where a record has its fields, and what they mean."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from tallyd.settings.queries import check_query
from tallyd.settings.types import Strict, wrong


def _direction(written: object) -> int | str:
    # Not a union of types: it would report two problems for a wrong type, and accept true as a number.
    if type(written) is int or isinstance(written, str):
        return written
    raise wrong("must be a whole number, or text in quotes")


def _query(written: str) -> str:
    return check_query(written, example="data or logics[].records[]") if written else written


Direction = Annotated[int | str, BeforeValidator(_direction)]


class FieldNames(Strict):
    """The names of a record's fields."""

    id: str = Field("ID", min_length=1, description="Field with the number of the person in this file.")
    direction: str = Field("inOut", min_length=1, description="Field with the direction: see `directions`.")
    time: str = Field("time", min_length=1, description="Field with the time, in `time_format`.")
    frame: str | None = Field(
        "frameNumber", description="Field with the number of the picture; null: no such field."
    )


class IntervalFields(Strict):
    """Where a file has its intervals, and the names of their fields."""

    items: Annotated[str, AfterValidator(_query)] = Field(
        "",
        description="JMESPath of the list of intervals in the JSON, such as `data`. Default: the file is the "
        "list.",
    )
    start: str = Field("start", min_length=1, description="Field with the beginning, in `time_format`.")
    end: str = Field("end", min_length=1, description="Field with the end, in `time_format`.")
    n_in: str = Field("in", alias="in", min_length=1, description="Field with how many came in.")
    n_out: str = Field("out", alias="out", min_length=1, description="Field with how many went out.")

    @field_validator("end", "n_out")
    @classmethod
    def _differs(cls, field: str, info: ValidationInfo) -> str:
        other, key = ("start", "start") if info.field_name == "end" else ("n_in", "in")
        if field == info.data.get(other):
            raise wrong(f"is the same as `{key}`")
        return field


class DirectionValues(Strict):
    """Values of a record's direction. Every other value counts as `other`.

    They are not keys of the poller itself, because `out` there means the folder of its files.
    """

    way_in: Direction = Field(0, alias="in", description="Value that means in.")
    way_out: Direction = Field(1, alias="out", description="Value that means out.")

    @field_validator("way_out")
    @classmethod
    def _differs(cls, way_out: int | str, info: ValidationInfo) -> int | str:
        way_in = info.data.get("way_in")
        if way_in == way_out:
            raise wrong("is the same as `in`")
        if way_in is not None and type(way_in) is not type(way_out):
            raise wrong("must be a number if `in` is one, and text if `in` is text")
        return way_out
