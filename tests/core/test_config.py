"""Configs: what goes in comes out, and what does not belong is refused by name."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamtrack.core.config import from_dict, to_dict
from siamtrack.errors import UnknownNameError


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5
    steps: int = 3

    def __post_init__(self):
        if self.steps < 1:
            raise ValueError("steps must be at least 1")


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = field(default_factory=Inner)
    sizes: tuple[int, ...] = (1, 2)
    pair: tuple[float, str] = (1.0, "a")
    nested: tuple[tuple[float, int], ...] = ()
    names: list[str] = field(default_factory=list)
    scores: dict[str, float] = field(default_factory=dict)
    mode: Literal["fast", "slow"] = "fast"
    maybe: Optional[float] = None  # noqa: UP045
    maybe_inner: Inner | None = None
    either: int | str | tuple[int, ...] = 0
    flag: bool = False
    anything: Any = None


NUMBER = st.floats(-9e18, 9e18)
WHOLE = st.integers(-(2**62), 2**62)


@settings(max_examples=30, deadline=None)
@given(
    st.builds(
        Outer,
        name=st.text(),
        inner=st.builds(Inner, NUMBER, st.integers(1, 2**62)),
        sizes=st.lists(WHOLE).map(tuple),
        pair=st.tuples(st.floats(0, 1), st.text()),
        nested=st.lists(st.tuples(st.floats(0, 1), WHOLE)).map(tuple),
        names=st.lists(st.text()),
        scores=st.dictionaries(st.text(), st.floats(0, 1)),
        mode=st.sampled_from(["fast", "slow"]),
        maybe=st.none() | st.floats(0, 1),
        maybe_inner=st.none() | st.just(Inner()),
        either=WHOLE | st.text() | st.lists(WHOLE).map(tuple),
        flag=st.booleans(),
    )
)
def test_json_and_back(config):
    assert from_dict(Outer, json.loads(json.dumps(to_dict(config)))) == config


def test_defaults_fill_in_and_integers_become_floats():
    config = from_dict(Outer, {"name": "x", "maybe": 2, "scores": {"a": 1}})
    assert config == Outer("x", maybe=2.0, scores={"a": 1.0})
    assert isinstance(config.maybe, float)
    assert isinstance(config.scores["a"], float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner": {"rat": 1.0}}, "unknown Inner setting 'rat': did you mean 'rate'"),
        ({"sizs": []}, "unknown Outer setting 'sizs': did you mean 'sizes'"),
        ({3: 1}, "unknown Outer setting '3'"),
    ],
)
def test_unknown_keys_name_the_nearest(values, message):
    with pytest.raises(UnknownNameError, match=message):
        from_dict(Outer, {"name": "x", **values})


@pytest.mark.parametrize(
    "values",
    [
        {"name": 3},
        {"inner": 3},
        {"inner": {"steps": 1.5}},
        {"inner": {"steps": True}},
        {"inner": {"rate": "fast"}},
        {"inner": {"rate": None}},
        {"sizes": 3},
        {"sizes": [1, "b"]},
        {"pair": [1.0]},
        {"names": "abc"},
        {"names": [1]},
        {"scores": [1]},
        {"scores": {"a": "b"}},
        {"maybe": "x"},
        {"maybe_inner": 5},
        {"either": 1.5},
        {"flag": 1},
    ],
)
def test_wrong_types_are_refused_and_located(values):
    key = next(iter(values))
    with pytest.raises(TypeError, match=rf"(Outer\.{key}|Inner\.)"):
        from_dict(Outer, {"name": "x", **values})


def test_a_list_in_place_of_a_mapping_is_refused():
    with pytest.raises(TypeError, match="expected a mapping of settings"):
        from_dict(Outer, ["name"])


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match="'fast', 'slow', got 'slwo'"):
        from_dict(Outer, {"name": "x", "mode": "slwo"})
    with pytest.raises(ValueError, match="steps must be at least 1"):
        from_dict(Outer, {"name": "x", "inner": {"steps": 0}})


def test_missing_settings_are_named():
    with pytest.raises(ValueError, match="Outer needs name"):
        from_dict(Outer, {})


def test_field_types_that_cannot_be_checked_are_refused():
    odd = dataclasses.make_dataclass("Odd", [("x", set[int])])
    with pytest.raises(TypeError, match="not supported"):
        from_dict(odd, {"x": [1]})


@pytest.mark.parametrize("wrong", [Outer, 3, {"name": "x"}])
def test_to_dict_takes_only_instances(wrong):
    with pytest.raises(TypeError, match="expected a dataclass instance"):
        to_dict(wrong)
