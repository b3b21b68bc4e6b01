"""The registry."""

import pytest

from siamtrack.core.registry import Registry
from siamtrack.errors import UnknownNameError


@pytest.fixture
def colours():
    registry = Registry("colour")
    registry.register("red")((255, 0, 0))
    registry.register("green")((0, 255, 0))
    return registry


def test_register_returns_its_argument_and_files_it(colours):
    def paint():
        return "paint"

    assert colours.register("paint")(paint) is paint
    assert colours["paint"] is paint


def test_names_are_sorted_and_counted(colours):
    assert list(colours) == ["green", "red"]
    assert len(colours) == 2
    assert "red" in colours
    assert "blue" not in colours
    assert None not in colours


def test_a_taken_name_is_refused_and_the_first_stays(colours):
    with pytest.raises(ValueError, match="colour 'red' is registered already"):
        colours.register("red")((1, 2, 3))
    assert colours["red"] == (255, 0, 0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gren", "unknown colour 'gren': did you mean 'green'? Known: green, red"),
        ("RED", "unknown colour 'RED': did you mean 'red'? Known: green, red"),
        ("xyz", "unknown colour 'xyz': Known: green, red"),
        (None, "unknown colour None: Known: green, red"),
    ],
)
def test_unknown_names_get_a_suggestion(colours, name, message):
    with pytest.raises(UnknownNameError) as caught:
        colours[name]
    assert str(caught.value) == message
    assert isinstance(caught.value, LookupError)


def test_registries_do_not_share_names(colours):
    assert "red" not in Registry("wine")
    with pytest.raises(UnknownNameError, match="Known: none"):
        Registry("wine")["red"]


def test_where_ones_own_can_be_added_the_error_says_how():
    open_to_all = Registry("colour", "siamtrack.no_such_group")
    with pytest.raises(UnknownNameError, match=r"Known: none\. One of your own .* --import FILE"):
        open_to_all["red"]
