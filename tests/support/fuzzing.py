"""Properties under many inputs: made near what is valid by hypothesis, or by spoiling the bytes of a corpus."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SHORT, LONG = 50, 4_000
# For one input of at most 64 kB: most take a thousandth of it, and what this is for would not come to its end.
SLOWEST_S = 5.0
LARGEST = 65_536

Fuzz = Callable[..., None]

# Bytes that end, open or count something in one format or another.
_CHARGED = (
    *(
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\x00",
        b"\xff",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x80",
        b" ",
        b"\t",
        b'"',
        b"\\",
        b"<",
    ),
    *(
        b">",
        b";",
        b",",
        b":",
        b"=",
        b"/",
        b"@",
        b"%",
        b"%00",
        b"&",
        b"{",
        b"}",
        b"[",
        b"]",
        b"0",
        b"-1",
        b"65536",
        b"4294967296",
    ),
    *(b"99999999999999999999", b"1e999", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"\xd9\xa3", b"]]>", b"<!--", b"&#0;"),
)


def fuzzed(**strategies: st.SearchStrategy[Any]) -> Callable[[Fuzz], Fuzz]:
    """Run a property in its short form and, marked `long`, in its full one."""

    def wrap(function: Fuzz) -> Fuzz:
        def at(examples: int) -> Fuzz:
            profile = settings(max_examples=examples, suppress_health_check=list(HealthCheck))
            return profile(given(**strategies)(function))

        runs = {SHORT: at(SHORT), LONG: at(LONG)}

        @pytest.mark.parametrize("examples", [SHORT, pytest.param(LONG, marks=pytest.mark.long)])
        def test(examples: int) -> None:
            runs[examples]()

        test.__name__, test.__doc__ = function.__name__, function.__doc__
        return test

    return wrap


@contextlib.contextmanager
def bounded(*errors: type[Exception]) -> Iterator[None]:
    """Nothing but these errors, each with something to say, and soon."""
    began, said = time.thread_time(), "a value"
    try:
        yield
    except errors as error:
        said = str(error)
    assert said
    assert time.thread_time() - began < SLOWEST_S


def spoilt(valid: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Valid bytes with a few of them changed, taken out or put in twice."""

    @st.composite
    def strategy(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(valid))
        for _ in range(draw(st.integers(0, 4))):
            at = draw(st.integers(0, len(data)))
            end = min(at + draw(st.integers(0, 8)), len(data))
            data[at:end] = draw(st.binary(max_size=4) | st.just(bytes(data[at:end]) * 2))
        return bytes(data)

    return strategy()


def mutants(corpus: Sequence[bytes], count: int, seed: int = 1) -> Iterator[bytes]:
    """So many spoilt copies of a corpus, the same ones for a seed: a few changes to one, or halves of two put together."""
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(corpus))
        for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
            data = _changed(data, corpus, chance)
        yield bytes(data[:LARGEST])


def _changed(data: bytearray, corpus: Sequence[bytes], chance: random.Random) -> bytearray:
    at = chance.randrange(len(data) + 1)
    end = min(at + chance.choice((1, 1, 2, 4, 8, 32)), len(data))
    piece = data[at:end]
    match chance.randrange(8):
        case 0 if piece:  # a bit
            data[at] ^= 1 << chance.randrange(8)
        case 1:  # any byte
            data[at:end] = chance.randbytes(len(piece) or 1)
        case 2:  # cut off
            del data[at:]
        case 3:  # left out
            del data[at:end]
        case 4:  # twice, or many times
            data[at:at] = piece * chance.choice((1, 1, 2, 100))
        case 5:  # somewhere else
            del data[at:end]
            to = chance.randrange(len(data) + 1)
            data[to:to] = piece
        case 6:  # the end of another
            other = chance.choice(corpus)
            data[at:] = other[chance.randrange(len(other) + 1) :]
        case _:
            data[at : chance.choice((at, end))] = chance.choice(_CHARGED)
    return data
