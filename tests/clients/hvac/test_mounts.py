"""Mounts of secrets engines through hvac."""

from hvac import exceptions

import vault


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
