"""Graphs of ONNX operators, made in memory from arrays and run by onnxruntime in the calling thread.

Models that are at hand as numbers (the sentence encoder of another package, the heads) have no ONNX file, and
one in the repository would hide in bytes what a page of code says. Here a graph is put together from
operators and written as the protobuf message that onnxruntime reads (field numbers from ``onnx.proto``,
https://onnx.ai/onnx/repo-docs/IR.html), without the package ``onnx``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spotsafe.core.errors import missing_extra

Array = NDArray[Any]
Run = Callable[[Mapping[str, Array]], list[Any]]
"""Inputs by name → outputs, in order."""

STANDARD, MICROSOFT = "", "com.microsoft"
"""Domains of operators: the standard's, and onnxruntime's own."""

_OPERATOR_SETS = {STANDARD: 17, MICROSOFT: 1}
_FORMAT = 8
_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7, "float16": 10}  # TensorProto.DataType
_FLOAT, _INT = 1, 2  # AttributeProto.AttributeType


class Graph:
    """Operators in the order in which they are added. Values go by names, which the methods return."""

    def __init__(self) -> None:
        self._numbers = count()
        self._fields: list[bytes] = []

    def input(self, name: str, kind: str, shape: Sequence[int | str]) -> str:
        """An input of numpy type *kind*; a string in *shape* names a size that varies."""
        sizes = [_field(1, _field(2 if isinstance(size, str) else 1, size)) for size in shape]
        tensor = _field(1, _TYPES[kind]) + _field(2, b"".join(sizes))
        self._fields.append(_field(11, _field(1, name) + _field(2, _field(1, tensor))))
        return name

    def constant(self, value: Array | Sequence[int]) -> str:
        """A constant; a list of numbers is int64."""
        array = value if isinstance(value, np.ndarray) else np.array(value, dtype=np.int64)
        name = f"c{next(self._numbers)}"
        sizes = b"".join([_field(1, size) for size in array.shape])
        kind = _field(2, _TYPES[array.dtype.name])
        self._fields.append(_field(5, sizes + kind + _field(8, name) + _field(9, array.tobytes())))
        return name

    def add(self, operator: str, *inputs: str, domain: str = STANDARD, **attributes: float) -> str:
        """One operator with one output. An empty input is one that is left out; attributes are whole numbers
        or floats, as given."""
        return self.divide(operator, *inputs, outputs=1, domain=domain, **attributes)[0]

    def divide(
        self, operator: str, *inputs: str, outputs: int, domain: str = STANDARD, **attributes: float
    ) -> list[str]:
        """One operator with so many *outputs*."""
        names = [f"v{next(self._numbers)}" for _ in range(outputs)]
        written = [_field(1, name) for name in inputs] + [_field(2, name) for name in names]
        written.append(_field(4, operator))
        written += [_field(5, _attribute(name, value)) for name, value in attributes.items()]
        written.append(_field(7, domain))
        self._fields.append(_field(1, b"".join(written)))
        return names

    def written(self, *outputs: str) -> bytes:
        """The model whose outputs these are."""
        graph = [*self._fields, *(_field(12, _field(1, name)) for name in outputs), _field(2, "graph")]
        versions = [_field(8, _field(1, name) + _field(2, number)) for name, number in _OPERATOR_SETS.items()]
        return _field(1, _FORMAT) + b"".join(versions) + _field(7, b"".join(graph))


def session(model: bytes) -> Run:
    """*model* ready to run, in whichever thread calls: one thread, no memory held between runs and so no lock
    that a fork could copy in its locked state. Raises ConfigurationError where onnxruntime is absent."""
    try:
        import onnxruntime
    except ImportError:
        raise missing_extra("local", "the text engine's sentence encoder") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Texts differ in length: kept memory fits none of them, and makes runs slower (twice, measured).
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False
    made = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda inputs: list(made.run(None, inputs))


def _attribute(name: str, value: float) -> bytes:
    if isinstance(value, int):
        return _field(1, name) + _field(3, value) + _field(20, _INT)
    return _field(1, name) + b"\x15" + struct.pack("<f", value) + _field(20, _FLOAT)


def _field(number: int, value: int | str | bytes) -> bytes:
    """One field of a message: a whole number, or what has a length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value % 2**64)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Seven bits a byte, lowest first."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
