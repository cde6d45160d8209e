"""Makes the members with which a testnet begins (RLN-39): `python -m logos_mixnet.genesis`.

A testnet runs it once, before its first start (docs/modules.md). Each node that would announce
itself gets an identity and a secret as a member, and all get its announcement: they know each
other as members from the first epoch on.
"""

import sys

from logos_base.errors import ConfigError
from logos_crypto.rln import Identity
from logos_mixnet.config import Config, parse
from logos_mixnet.core.capability.keys import Secp256k1Signer
from logos_mixnet.core.identity import seeded_secret
from logos_mixnet.core.rln.announcements import Announcement
from logos_mixnet.core.rln.application import Application
from logos_mixnet.store.genesis import Secrets, random_secret, write_members
from logos_mixnet.store.rln_secret import seeded_member
from logos_module.genesis import GenesisJob, read_job


def make(job: GenesisJob) -> None:
    """Writes the files of a job: private ones first."""
    announcements = []
    for name, config in _members(job).items():
        if config.seed is None:
            identity, member = random_secret(), Identity.random()
            Secrets(identity, member.secret()).write(job.nodes[name].folder)
        else:  # the node derives them, too
            identity, member = seeded_secret(config.seed, name), seeded_member(config.seed, name)
        announcements.append(_announcement(identity, member, config.rln_limit))
    write_members(job.public, announcements)


def _members(job: GenesisJob) -> dict[str, Config]:
    """Returns who will announce itself.

    One whose settings are not valid is left out: it says so itself when it starts, and the others
    need not wait for it.
    """
    configs = {}
    for name, node in job.nodes.items():
        try:
            configs[name] = parse(node.settings)
        except ConfigError as error:
            sys.stderr.write(f"{name} is left out: {error}\n")
    return {name: config for name, config in configs.items() if config.announces_member}


def _announcement(identity: bytes, member: Identity, limit: int) -> Announcement:
    signer = Secp256k1Signer(identity)
    return Announcement.sign(
        signer.sign,
        peer_id=signer.public_key.peer_id,
        identifier=Application().identifier,
        commitment=member.commitment,
        limit=limit,
    )


if __name__ == "__main__":
    make(read_job())
