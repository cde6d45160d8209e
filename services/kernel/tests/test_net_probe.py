"""KER-7, KER-13: what a module says of itself, as far as it can be used."""

import pytest

from logos.module.v1 import module_host_pb2
from logos_kernel.net.probe import MAX_DESCRIPTOR_SET_BYTES, described_from_pb


@pytest.mark.parametrize("raw", [b"\xff" * 8, b"\xff" * (MAX_DESCRIPTOR_SET_BYTES + 1)])
def test_descriptors_that_cannot_be_read_are_left_out(raw: bytes) -> None:
    response = module_host_pb2.DescribeResponse(module="base", file_descriptor_set=raw)

    described = described_from_pb(response)

    assert (described.module, described.file_descriptor_set, described.methods) == ("base", b"", {})
