import pytest

pytestmark = pytest.mark.needs("torch")
