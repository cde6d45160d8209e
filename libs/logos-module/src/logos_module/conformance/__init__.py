"""Proves a module, in any language, against the contract of modules (KER-46).

It plays the kernel: it starts the module's command, registers it, calls it with every kind of
token, and ends it. `logosctl module check --run DIR` runs it; a module's own tests may too:

    @pytest.mark.parametrize("check", CHECKS, ids=name_of)
    async def test_keeps_the_contract(check: Check) -> None:
        await prove(check, subject_of(FOLDER))
"""

from logos_module.conformance.broken import ContractBrokenError
from logos_module.conformance.catalogue import CHECKS, Check, name_of, prove
from logos_module.conformance.subject import Subject, subject_of

__all__ = [
    "CHECKS",
    "Check",
    "ContractBrokenError",
    "Subject",
    "name_of",
    "prove",
    "subject_of",
]
