"""The profiles: the small one is always the same and leaves nothing, the long one searches 10,000 times and more."""

from pathlib import Path

from hypothesis import settings
from properties import EXAMPLES

HERE = Path(__file__).parent
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in HERE.glob("test_*_properties.py")}


def test_the_long_profile_searches_ten_thousand_times():
    taken = [name for name in EXAMPLES if f'@take("{name}")' in "".join(SOURCES.values())]
    assert taken == list(EXAMPLES)
    assert sum(long for _, long in EXAMPLES.values()) >= 10_000
    assert sum(short for short, _ in EXAMPLES.values()) <= 600


def test_each_property_has_a_sabotaged_twin():
    for name in EXAMPLES:
        assert any(f'@take("{name}")' in text and f', "{name}"' in text for text in SOURCES.values()), name


def test_the_small_profile_is_always_the_same_and_keeps_nothing():
    small, long = settings.get_profile("ci"), settings.get_profile("long")
    assert small.derandomize
    assert small.database is None
    assert not long.derandomize
    assert long.print_blob
