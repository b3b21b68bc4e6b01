"""The registry."""

import pytest

from siamtrack.core.registry import Registry
from siamtrack.errors import UnknownNameError


@pytest.fixture
def colors():
    registry = Registry("color")
    registry.register("red")((255, 0, 0))
    registry.register("green")((0, 255, 0))
    return registry


def test_register_returns_its_argument_and_files_it(colors):
    def paint():
        return "paint"

    assert colors.register("paint")(paint) is paint
    assert colors["paint"] is paint


def test_names_are_sorted_and_counted(colors):
    assert list(colors) == ["green", "red"]
    assert len(colors) == 2
    assert "red" in colors
    assert "blue" not in colors
    assert None not in colors


def test_a_taken_name_is_refused_and_the_first_stays(colors):
    with pytest.raises(ValueError, match="color 'red' is registered already"):
        colors.register("red")((1, 2, 3))
    assert colors["red"] == (255, 0, 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gren", "unknown color 'gren': did you mean 'green'? Known: green, red"),
        ("RED", "unknown color 'RED': did you mean 'red'? Known: green, red"),
        ("xyz", "unknown color 'xyz': Known: green, red"),
        (None, "unknown color None: Known: green, red"),
    ],
)
def test_unknown_names_get_a_suggestion(colors, name, message):
    with pytest.raises(UnknownNameError) as caught:
        colors[name]
    assert str(caught.value) == message
    assert isinstance(caught.value, LookupError)


def test_registries_do_not_share_names(colors):
    assert "red" not in Registry("wine")
    with pytest.raises(UnknownNameError, match="Known: none"):
        Registry("wine")["red"]


def test_where_ones_own_can_be_added_the_error_says_how():
    open_to_all = Registry("color", "siamtrack.no_such_group")
    with pytest.raises(UnknownNameError, match=r"Known: none\. One of your own .* --import FILE"):
        open_to_all["red"]
