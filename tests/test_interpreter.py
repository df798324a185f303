"""The interpreter as it is tuned. In a process of its own: what is tuned is the process."""

import subprocess
import sys

_ENUMS = """
import enum, sys
import fairlead.app.process, fairlead.cli
from fairlead.core.model import Stage
from fairlead.app.interpreter import quicken_enums

class Odd(enum.Enum):
    name = 1

for _ in range(2):
    quicken_enums()
    assert "__getattr__" not in vars(enum.EnumType)
    assert Stage.ROUTED is Stage("ROUTED") is Stage["ROUTED"]
    assert Odd.name.value == 1
    assert not hasattr(Stage, "ELSEWHERE")
    try:
        Stage.ELSEWHERE
    except AttributeError as error:
        assert "ELSEWHERE" in str(error)

found = 0
for name, module in list(sys.modules.items()):
    for each in list(vars(module).values()) if name.startswith("fairlead.") else ():
        if isinstance(each, enum.EnumType):
            for word, member in each.__members__.items():
                assert getattr(each, word) is member
                found += 1
assert found > 100, found
"""


def test_members_of_enums_are_read_without_their_metaclass() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ENUMS], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
