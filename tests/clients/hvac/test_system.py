"""Init, seal, mounts and policies through hvac."""

import json

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


class Mounts(vault.VaultTestCase):
    def test_an_engine_is_enabled_tuned_and_disabled(self):
        system = self.root.sys
        system.enable_secrets_engine("kv", path="team/a", description="of team a", options={"version": "2"})
        mounts = system.list_mounted_secrets_engines()["data"]
        self.assertEqual(mounts["team/a/"]["type"], "kv")
        self.assertEqual(mounts["team/a/"]["description"], "of team a")
        self.assertEqual(mounts["team/a/"]["options"], {"version": "2"})
        self.assertTrue(mounts["team/a/"]["accessor"].startswith("kv_"))
        self.assertLessEqual({"sys/", "cubbyhole/"}, set(mounts))
        self.assertEqual(system.retrieve_mount_option("team/a", "version"), "2")

        system.tune_mount_configuration("team/a", default_lease_ttl="1h", max_lease_ttl="2h", description="tuned")
        tuned = system.read_mount_configuration("team/a")["data"]
        self.assertEqual((tuned["default_lease_ttl"], tuned["max_lease_ttl"]), (3600, 7200))
        self.assertEqual(system.list_mounted_secrets_engines()["data"]["team/a/"]["description"], "tuned")

        system.disable_secrets_engine("team/a")
        self.assertNotIn("team/a/", system.list_mounted_secrets_engines()["data"])

    def test_what_is_disabled_is_gone(self):
        kv = self.root.secrets.kv.v1
        self.root.sys.enable_secrets_engine("kv", path="gone", options={"version": "1"})
        kv.create_or_update_secret("a", {"b": "c"}, mount_point="gone")
        self.root.sys.disable_secrets_engine("gone")
        with self.assertRaises(exceptions.InvalidPath):
            kv.read_secret("a", mount_point="gone")
        self.mount("gone", 1)
        with self.assertRaises(exceptions.InvalidPath):
            kv.read_secret("a", mount_point="gone")

    def test_paths_in_use_and_unknown_engines_are_refused(self):
        self.mount("taken", 1)
        for path in ["taken", "taken/below", "sys"]:
            with self.assertRaises(exceptions.InvalidRequest, msg=path):
                self.root.sys.enable_secrets_engine("kv", path=path)
        with self.assertRaises(exceptions.InvalidRequest):
            self.root.sys.enable_secrets_engine("no-such-engine", path="other")


class Policies(vault.VaultTestCase):
    RULES = 'path "policy-kv/mine/*" { capabilities = ["create", "read"] }'

    def test_a_policy_is_written_read_listed_and_deleted(self):
        system = self.root.sys
        system.create_or_update_policy("team", self.RULES)
        self.assertIn("team", system.list_policies()["data"]["policies"])
        self.assertLessEqual({"default", "root"}, set(system.list_policies()["data"]["policies"]))
        self.assertEqual(system.read_policy("team")["data"]["rules"], self.RULES)
        self.assertEqual(system.read_acl_policy("team")["data"]["policy"], self.RULES)
        self.assertIn("team", system.list_acl_policies()["data"]["keys"])
        system.delete_policy("team")
        with self.assertRaises(exceptions.InvalidPath):
            system.read_policy("team")
        self.assertNotIn("team", system.list_policies()["data"]["policies"])

    def test_a_policy_can_be_json(self):
        rules = {"path": {"policy-kv/*": {"capabilities": ["read"]}}}
        self.root.sys.create_or_update_acl_policy("as-json", rules)
        self.addCleanup(self.root.sys.delete_acl_policy, "as-json")
        self.assertEqual(json.loads(self.root.sys.read_acl_policy("as-json")["data"]["policy"]), rules)

    def test_a_policy_that_does_not_parse_is_refused(self):
        with self.assertRaises(exceptions.InvalidRequest):
            self.root.sys.create_or_update_policy("broken", 'path "x" { capabilities = ["fly"] }')
        with self.assertRaises(exceptions.InvalidPath):
            self.root.sys.read_policy("broken")

    def test_a_token_does_what_its_policies_allow_and_no_more(self):
        self.mount("policy-kv", 1)
        self.policy("narrow", self.RULES)
        token = self.root.auth.token.create(policies=["narrow"], ttl="1h")["auth"]["client_token"]
        application = vault.client(token)
        kv = application.secrets.kv.v1
        kv.create_or_update_secret("mine/a", {"b": "c"}, method="POST", mount_point="policy-kv")
        self.assertEqual(kv.read_secret("mine/a", mount_point="policy-kv")["data"], {"b": "c"})
        for forbidden in [
            lambda: kv.create_or_update_secret("mine/a", {"b": "d"}, method="POST", mount_point="policy-kv"),
            lambda: kv.create_or_update_secret("other/a", {"b": "d"}, method="POST", mount_point="policy-kv"),
            lambda: kv.read_secret("other/a", mount_point="policy-kv"),
            lambda: kv.list_secrets("mine", mount_point="policy-kv"),
            lambda: kv.delete_secret("mine/a", mount_point="policy-kv"),
            lambda: application.sys.list_policies(),
        ]:
            with self.assertRaises(exceptions.Forbidden):
                forbidden()
        capabilities = application.sys.get_capabilities(["policy-kv/mine/a", "policy-kv/other"])["data"]
        self.assertEqual(capabilities["policy-kv/mine/a"], ["create", "read"])
        self.assertEqual(capabilities["policy-kv/other"], ["deny"])

        self.root.sys.create_or_update_policy("narrow", 'path "policy-kv/*" { capabilities = ["deny"] }')
        with self.assertRaises(exceptions.Forbidden):
            kv.read_secret("mine/a", mount_point="policy-kv")
