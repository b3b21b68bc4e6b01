import pytest

pytestmark = pytest.mark.needs("starlette")
