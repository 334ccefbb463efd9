"""Dates of captures: the forms that are read, equal times equal, what is none before all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.filters.urls.dates import UNKNOWN, capture_times


@pytest.mark.parametrize(
    "date",
    [
        "2024-05-06T07:08:09Z",
        "2024-05-06T07:08:09.000Z",
        "2024-05-06 07:08:09",
        "2024-05-06T09:08:09+02:00",
        "2024-05-06T02:08:09-0500",
        "20240506070809",
        "Mon, 06 May 2024 07:08:09 GMT",
        "06 May 2024 09:08:09 +0200",
        "1714979289",
        "1714979289000",
        " 2024-05-06T07:08:09Z\n",
    ],
)
def test_one_time_in_many_forms(date: str) -> None:
    """ISO 8601, WARC-Date, web archives, HTTP, mail, seconds and milliseconds."""
    assert capture_times([date]).tolist() == [1714979289000000]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (None, "0001-01-01"),
        ("no date", "1969-12-31T23:59:59Z"),
        ("2024", "2024-01-01T00:00:01Z"),
        ("2024-05", "2024-05-02"),
        ("202405", "20240502"),
        ("2024-05-06", "2024-05-06T00:00:00.000001Z"),
        ("2024-05-06T23:59:58Z", "2024-05-06T23:59:60Z"),
    ],
)
def test_parts_that_lack_are_the_first(earlier: str | None, later: str) -> None:
    """A day is its midnight; what is no date is before every date."""
    one, other = capture_times([earlier, later]).tolist()
    assert one < other


@pytest.mark.parametrize(
    "date",
    [
        "",
        "2024-13-01",
        "2024-02-30",
        "20241301",
        "99999999999999",
        "9" * 9 + "." + "9" * 200,
        "٢٠٢٤",
        "2024-05-06T25:00:00Z",
    ],
)
def test_what_is_no_date_is_the_oldest(date: str) -> None:
    """Days and months that there are not, and texts of any length."""
    assert capture_times([date]).tolist() == [UNKNOWN]


@given(st.lists(st.one_of(st.none(), st.text(max_size=30), st.text("0123456789-:TZ+. ,", max_size=25)), max_size=8))
def test_no_text_is_an_error(dates: list[str | None]) -> None:
    """Whatever a record gives for its date."""
    assert len(capture_times(dates)) == len(dates)
