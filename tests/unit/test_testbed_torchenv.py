"""The variables under which torch runs on this or that processor."""

import pytest

from testbed import torchenv


@pytest.mark.parametrize(
    ("flags", "core"),
    [
        ("sse2 avx2 fma avx512f avx512dq avx512bw avx512vl", "SkylakeX"),
        ("sse2 avx2 fma avx512f", "Haswell"),
        ("sse2", None),
        ("", None),
    ],
)
def test_openblas_is_told_no_instruction_that_the_processor_lacks(flags: str, core: str | None) -> None:
    found = torchenv.environment(f"processor : 0\nflags\t\t: {flags}\n")
    assert found.pop("OPENBLAS_CORETYPE", None) == core
    assert found == {"OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}


def test_there_is_a_python_that_computes_with_torch() -> None:
    assert torchenv.python().exists()
