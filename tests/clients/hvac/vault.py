"""What the hvac tests share: one vault, initialised by hvac itself, and clients of it.

VAULT_ADDR and VAULT_CACERT name a server whose vault is uninitialised when the tests begin.
"""

import functools
import os
import unittest

import hvac

SHARES = 3
THRESHOLD = 2


def client(token=None):
    """Gives a client that trusts the server's own authority only."""
    return hvac.Client(url=os.environ["VAULT_ADDR"], verify=os.environ["VAULT_CACERT"], token=token)


def health(of):
    """Reads the health; hvac gives the content only under status 200, so that code is asked for in every state."""
    return of.sys.read_health_status(uninit_code=200, sealed_code=200, method="GET")


class Vault:
    """The vault under test, and what was seen while it was initialised and unsealed."""

    def __init__(self):
        stranger = client()
        self.initialized_before = stranger.sys.is_initialized()
        self.health_before = health(stranger)
        self.init_answer = stranger.sys.initialize(secret_shares=SHARES, secret_threshold=THRESHOLD)
        self.keys = self.init_answer["keys"]
        self.root_token = self.init_answer["root_token"]
        self.status_sealed = stranger.sys.read_seal_status()
        self.health_sealed = health(stranger)
        self.unseal_answers = [stranger.sys.submit_unseal_key(key) for key in self.keys[:THRESHOLD]]


@functools.cache
def vault():
    """Initialises and unseals the vault, once for all tests."""
    return Vault()


class VaultTestCase(unittest.TestCase):
    """A test with a root client, and mounts and policies that go away with it."""

    def setUp(self):
        self.root = client(vault().root_token)

    def mount(self, path, version):
        self.root.sys.enable_secrets_engine("kv", path=path, options={"version": str(version)})
        self.addCleanup(self.root.sys.disable_secrets_engine, path)

    def policy(self, name, rules):
        self.root.sys.create_or_update_policy(name, rules)
        self.addCleanup(self.root.sys.delete_policy, name)
