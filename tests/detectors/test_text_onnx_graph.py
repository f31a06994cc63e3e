"""Graphs of operators written without the package ``onnx``: what onnxruntime makes of them."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spotsafe.core.errors import ConfigurationError
from spotsafe.detectors.text import onnx_graph
from spotsafe.detectors.text.onnx_graph import Graph, session

CODES = {"float32": 1, "uint8": 2, "int8": 3, "int64": 7, "float16": 10}


@given(
    st.sampled_from(sorted(CODES)).flatmap(
        lambda kind: arrays.arrays(kind, arrays.array_shapes(max_dims=3, max_side=150))
    )
)
@settings(max_examples=40, deadline=None)
def test_constants_arrive_as_they_were(array):
    """Property: a constant of any type and shape comes out of the model unchanged, to the bit."""
    graph = Graph()
    graph.input("unused", "float32", ("rows",))
    run = session(graph.written(graph.add("Identity", graph.constant(array))))
    (found,) = run({"unused": np.zeros(1, dtype=np.float32)})
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()


@given(st.integers(-(2**40), 2**40))
@settings(max_examples=40, deadline=None)
def test_whole_numbers_are_read_back(value):
    """Property: a field of any whole number, negative ones too, is what protobuf's varint says."""
    written = onnx_graph._field(3, value)
    assert written[0] == 3 << 3
    read = sum((byte & 127) << 7 * place for place, byte in enumerate(written[1:]))
    assert (read - 2**64 if read >= 2**63 else read) == value
    assert [byte >> 7 for byte in written[1:]] == [1] * (len(written) - 2) + [0]


def test_operators_take_inputs_attributes_and_several_outputs():
    """Axes (whole numbers) and a slope (a float) arrive, and each part of a split has its name."""
    graph = Graph()
    rows = graph.input("rows", "float32", ("rows", 5))
    left, right = graph.divide("Split", rows, graph.constant([2, 3]), outputs=2, axis=1)
    leaky = graph.add("LeakyRelu", right, alpha=0.25)
    run = session(graph.written(left, graph.add("Concat", leaky, left, axis=-1)))
    given_rows = np.array([[1, 2, -4, 0, 4], [5, 6, 8, -8, 1]], dtype=np.float32)
    first, second = run({"rows": given_rows})
    assert first.tolist() == [[1, 2], [5, 6]]
    assert second.tolist() == [[-1, 0, 4, 1, 2], [8, -2, 1, 5, 6]]


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    """Where onnxruntime is not installed, the error gives the line that installs it."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'spotsafe\[local\]'"):
        session(b"")
