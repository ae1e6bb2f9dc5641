"""Parts of files: whatever a client sends, what it gets is the whole, a part that is there, or 416."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callwright.api.downloads import is_fresh, part_of
from callwright.errors import OutOfRange

_numbers = st.one_of(st.just(""), st.integers(0, 2_000).map(str), st.integers(0, 10**30).map(str))
_ranges = st.one_of(
    st.text(max_size=40),
    st.builds("bytes={}-{}".format, _numbers, _numbers),
    st.builds("bytes={}-{},{}-{}".format, _numbers, _numbers, _numbers, _numbers),
)


@given(value=_ranges, size=st.integers(0, 1_000))
def test_every_range_has_an_answer(value: str, size: int) -> None:
    try:
        part = part_of(value, size)
    except OutOfRange:
        return
    if part is not None:
        assert 0 <= part.start < part.stop <= size
        assert part.content_range == b"bytes %d-%d/%d" % (part.start, part.stop - 1, size)


@given(start=st.integers(0, 999), length=st.integers(1, 1_500))
def test_a_part_is_what_was_asked_for(start: int, length: int) -> None:
    content = bytes(1_000)
    part = part_of(f"bytes={start}-{start + length - 1}", len(content))
    assert part is not None
    assert content[part.start : part.stop] == content[start : start + length]


@given(value=st.text(max_size=60))
def test_any_condition_can_be_read(value: str) -> None:
    assert is_fresh(value, '"etag"') in (True, False)
    assert is_fresh(f'{value.replace(",", "")}, W/"etag"', '"etag"')
