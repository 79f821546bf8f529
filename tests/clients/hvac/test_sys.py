"""Init, unseal, seal and health through hvac."""

from hvac import exceptions

import vault


class InitAndSeal(vault.VaultTestCase):
    def test_init_hands_out_shares_and_a_root_token(self):
        seen = vault.vault()
        self.assertFalse(seen.initialized_before)
        self.assertFalse(seen.health_before["initialized"])
        self.assertEqual(len(set(seen.keys)), vault.SHARES)
        self.assertEqual(len(seen.init_answer["keys_base64"]), vault.SHARES)
        self.assertTrue(self.root.sys.is_initialized())
        with self.assertRaises(exceptions.InvalidRequest):
            vault.client().sys.initialize(secret_shares=1, secret_threshold=1)

    def test_unsealing_shows_its_progress(self):
        seen = vault.vault()
        self.assertTrue(seen.health_sealed["sealed"])
        self.assertTrue(seen.status_sealed["sealed"])
        self.assertEqual((seen.status_sealed["t"], seen.status_sealed["n"]), (vault.THRESHOLD, vault.SHARES))
        self.assertEqual(seen.status_sealed["type"], "shamir")
        self.assertEqual(seen.unseal_answers[0]["progress"], 1)
        self.assertTrue(seen.unseal_answers[0]["sealed"])
        self.assertFalse(seen.unseal_answers[1]["sealed"])

    def test_the_status_of_an_open_vault(self):
        status = self.root.seal_status
        self.assertFalse(status["sealed"])
        self.assertEqual(status["progress"], 0)
        self.assertTrue(status["cluster_id"])
        health = vault.health(self.root)
        self.assertTrue(health["initialized"])
        self.assertFalse(health["sealed"])
        self.assertFalse(health["standby"])
        self.assertEqual(self.root.sys.read_health_status(method="HEAD").status_code, 200)
        self.assertEqual(self.root.sys.read_health_status(active_code=299, method="GET").status_code, 299)
        leader = self.root.sys.read_leader_status()
        self.assertIn("ha_enabled", leader)
        self.assertTrue(self.root.is_authenticated())

    def test_a_sealed_vault_serves_nothing_until_enough_shares_come(self):
        self.mount("seal-kv", 2)
        self.root.secrets.kv.v2.create_or_update_secret("a", {"b": "c"}, mount_point="seal-kv")
        self.root.sys.seal()
        self.addCleanup(self.unseal)
        stranger = vault.client()
        self.assertTrue(stranger.sys.is_sealed())
        self.assertEqual(stranger.sys.read_health_status(method="HEAD").status_code, 503)
        with self.assertRaises(exceptions.VaultDown):
            self.root.secrets.kv.v2.read_secret_version("a", mount_point="seal-kv", raise_on_deleted_version=True)

        keys = vault.vault().keys
        self.assertEqual(stranger.sys.submit_unseal_key(keys[2])["progress"], 1)
        self.assertEqual(stranger.sys.submit_unseal_key(reset=True)["progress"], 0)
        with self.assertRaises(exceptions.InvalidRequest):
            stranger.sys.submit_unseal_key("00" * 33)
        self.assertTrue(stranger.sys.is_sealed())
        self.assertFalse(stranger.sys.submit_unseal_keys(keys[1:])["sealed"])
        answer = self.root.secrets.kv.v2.read_secret_version(
            "a", mount_point="seal-kv", raise_on_deleted_version=True
        )
        self.assertEqual(answer["data"]["data"], {"b": "c"})

    def unseal(self):
        stranger = vault.client()
        if stranger.sys.is_sealed():
            stranger.sys.submit_unseal_key(reset=True)
            stranger.sys.submit_unseal_keys(vault.vault().keys)

    def test_only_the_allowed_may_seal(self):
        token = self.root.auth.token.create(policies=["default"], ttl="1h")["auth"]["client_token"]
        with self.assertRaises(exceptions.Forbidden):
            vault.client(token).sys.seal()
        self.assertFalse(self.root.sys.is_sealed())
