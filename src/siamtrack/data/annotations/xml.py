"""XML of annotation tools, read without entities: a file that declares any is refused."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from siamtrack.core.files import bytes_of
from siamtrack.errors import DatasetError


class _Refusing(ET.TreeBuilder):
    """Builds a tree, but stops at a document type, the only place where entities are declared."""

    def doctype(self, name: str, public: str | None, system: str | None) -> None:
        raise DatasetError(f"declares the document type {name!r}; annotations need none")


def read_xml(path: Path) -> ET.Element:
    """Return the root of an XML file.

    Raises:
        DatasetError: If the file cannot be read, is no XML, or has a DOCTYPE: entities that expand
            to gigabytes or fetch other files have no place in annotations.
        FileNotFoundError: If it does not exist.
    """
    try:
        data = bytes_of(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror})") from error
    parser = ET.XMLParser(target=_Refusing())
    try:
        parser.feed(data)
        root = parser.close()
    except (ET.ParseError, ValueError, LookupError) as error:
        raise DatasetError(f"{path}: no usable XML ({error})") from error
    if not isinstance(root, ET.Element):
        raise DatasetError(f"{path}: no usable XML (it is empty)")
    return root


def number_in(node: ET.Element, tag: str) -> float:
    """Return the number in the child `tag`; NaN if there is none."""
    try:
        return float(node.findtext(tag, "nan"))
    except ValueError:
        return float("nan")
