"""One change of the source for each guarantee of README.md and of the exactness tests, and the test that must catch it."""

from mutations.execution_changes import EXECUTION_CHANGES
from mutations.method_changes import METHOD_CHANGES
from mutations.result_changes import RESULT_CHANGES

CHANGES = [*METHOD_CHANGES, *EXECUTION_CHANGES, *RESULT_CHANGES]
