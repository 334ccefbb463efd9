"""Names of NumPy's arrays by the type of their elements, short enough for the signature of a kernel.

They are for annotations: a kernel's own compiler reads none of them, but a reader and a type checker do.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Bools", "Float64s", "Int32s", "Int64s", "UInt8s", "UInt32s", "UInt64s"]

Bools: TypeAlias = npt.NDArray[np.bool_]
Float64s: TypeAlias = npt.NDArray[np.float64]
Int32s: TypeAlias = npt.NDArray[np.int32]
Int64s: TypeAlias = npt.NDArray[np.int64]
UInt8s: TypeAlias = npt.NDArray[np.uint8]
UInt32s: TypeAlias = npt.NDArray[np.uint32]
UInt64s: TypeAlias = npt.NDArray[np.uint64]
