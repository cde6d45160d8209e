"""The scenarios, on local processes. That of the mix is mixnet.md 11, S1."""

import pytest

from logos_testnet.scenarios.catalogue import EVERY, Scenario
from logos_testnet.testnet import Testnet

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


@pytest.mark.parametrize("scenario", EVERY, ids=lambda scenario: scenario.__name__)
async def test_processes_withstand(testnet: Testnet, scenario: Scenario) -> None:
    await scenario(testnet)
