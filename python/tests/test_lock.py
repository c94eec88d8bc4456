"""The global interpreter lock: importing the module does not turn it on where it is off."""

import subprocess
import sys
import sysconfig

import pytest

PROGRAM = """
import sys
before = sys._is_gil_enabled()
import numpy
import chorus
engine = chorus.Engine(threads=1)
engine.generate("Once", seed=1, max_length=10)
print(before, sys._is_gil_enabled())
"""


def test_a_free_threaded_python_stays_so():
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this Python has the lock")
    # A warning is an error: Python warns when a module turns the lock on.
    result = subprocess.run([sys.executable, "-W", "error", "-c", PROGRAM], capture_output=True, text=True)
    assert result.stdout.split() == ["False", "False"], result.stderr


def test_the_module_is_of_this_kind_of_python():
    from chorus import _core

    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    stable = _core.__file__.endswith(".abi3.so")
    assert stable == (not free_threaded and sys.version_info >= (3, 12)), _core.__file__
