"""KV version 2 through hvac: every method that it has."""

from hvac import exceptions

import vault


class KvV2(vault.VaultTestCase):
    def setUp(self):
        super().setUp()
        self.mount("kv2", 2)
        self.kv = self.root.secrets.kv.v2

    def write(self, path="app", cas=None, **secret):
        return self.kv.create_or_update_secret(path, secret, cas=cas, mount_point="kv2")["data"]

    def read(self, path="app", version=None):
        answer = self.kv.read_secret_version(
            path, version=version, mount_point="kv2", raise_on_deleted_version=True
        )
        return answer["data"]

    def metadata(self, path="app"):
        return self.kv.read_secret_metadata(path, mount_point="kv2")["data"]

    def test_each_write_makes_a_version(self):
        first = self.write(password="one")
        self.assertEqual(first["version"], 1)
        self.assertEqual(first["deletion_time"], "")
        self.assertFalse(first["destroyed"])
        self.assertEqual(self.write(password="two")["version"], 2)

        self.assertEqual(self.read()["data"], {"password": "two"})
        self.assertEqual(self.read()["metadata"]["version"], 2)
        self.assertEqual(self.read(version=1)["data"], {"password": "one"})
        latest = self.kv.read_secret("app", mount_point="kv2", raise_on_deleted_version=True)
        self.assertEqual(latest["data"]["data"], {"password": "two"})
        with self.assertRaises(exceptions.InvalidPath):
            self.read(version=3)
        with self.assertRaises(exceptions.InvalidPath):
            self.read("nothing")

    def test_values_come_back_as_they_were(self):
        secret = {"text": "Grüße ✓ \" \\ \n", "number": 12345678901234567890, "float": 1.5, "none": None,
                  "nested": {"list": [1, True, {}], "empty": ""}}
        self.write("values", **secret)
        self.assertEqual(self.read("values")["data"], secret)

    def test_check_and_set_refuses_a_stale_writer(self):
        self.assertEqual(self.write(cas=0, a="1")["version"], 1)
        with self.assertRaisesRegex(exceptions.InvalidRequest, "check-and-set"):
            self.write(cas=0, a="2")
        self.assertEqual(self.write(cas=1, a="2")["version"], 2)
        with self.assertRaisesRegex(exceptions.InvalidRequest, "check-and-set"):
            self.write(cas=1, a="3")
        self.assertEqual(self.read()["data"], {"a": "2"})

    def test_a_secret_can_require_check_and_set(self):
        self.kv.update_metadata("app", cas_required=True, mount_point="kv2")
        with self.assertRaisesRegex(exceptions.InvalidRequest, "check-and-set"):
            self.write(a="1")
        self.assertEqual(self.write(cas=0, a="1")["version"], 1)

    def test_a_patch_keeps_the_other_fields(self):
        self.write(a="1", b="2")
        self.kv.patch("app", {"b": "3", "c": "4"}, mount_point="kv2")
        self.assertEqual(self.read()["data"], {"a": "1", "b": "3", "c": "4"})
        self.assertEqual(self.read()["metadata"]["version"], 2)
        with self.assertRaises(exceptions.InvalidPath):
            self.kv.patch("nothing", {"a": "1"}, mount_point="kv2")

    def test_a_deleted_version_can_be_brought_back(self):
        self.write(a="1")
        self.kv.delete_latest_version_of_secret("app", mount_point="kv2")
        with self.assertRaises(exceptions.InvalidPath):
            self.read()
        deleted = self.kv.read_secret_version("app", mount_point="kv2", raise_on_deleted_version=False)
        self.assertIsNone(deleted["data"]["data"])
        self.assertNotEqual(deleted["data"]["metadata"]["deletion_time"], "")
        self.kv.undelete_secret_versions("app", [1], mount_point="kv2")
        self.assertEqual(self.read()["data"], {"a": "1"})

    def test_chosen_versions_are_deleted_and_brought_back(self):
        for number in ["1", "2", "3"]:
            self.write(a=number)
        self.kv.delete_secret_versions("app", [1, 2], mount_point="kv2")
        for version in [1, 2]:
            with self.assertRaises(exceptions.InvalidPath):
                self.read(version=version)
        self.assertEqual(self.read()["data"], {"a": "3"})
        self.kv.undelete_secret_versions("app", [2], mount_point="kv2")
        self.assertEqual(self.read(version=2)["data"], {"a": "2"})

    def test_a_destroyed_version_is_gone_for_good(self):
        self.write(a="1")
        self.write(a="2")
        self.kv.destroy_secret_versions("app", [1], mount_point="kv2")
        self.assertTrue(self.metadata()["versions"]["1"]["destroyed"])
        self.assertFalse(self.metadata()["versions"]["2"]["destroyed"])
        self.kv.undelete_secret_versions("app", [1], mount_point="kv2")
        with self.assertRaises(exceptions.InvalidPath):
            self.read(version=1)
        self.assertEqual(self.read()["data"], {"a": "2"})

    def test_metadata_tells_about_all_versions(self):
        self.write(a="1")
        self.write(a="2")
        metadata = self.metadata()
        self.assertEqual(metadata["current_version"], 2)
        self.assertEqual(metadata["oldest_version"], 0)
        self.assertEqual(sorted(metadata["versions"]), ["1", "2"])
        self.assertLessEqual(metadata["created_time"], metadata["updated_time"])

        self.kv.update_metadata(
            "app", max_versions=5, cas_required=True, delete_version_after="3h25m19s",
            custom_metadata={"owner": "anna"}, mount_point="kv2",
        )
        metadata = self.metadata()
        self.assertEqual(metadata["max_versions"], 5)
        self.assertTrue(metadata["cas_required"])
        self.assertEqual(metadata["delete_version_after"], "3h25m19s")
        self.assertEqual(metadata["custom_metadata"], {"owner": "anna"})
        self.assertEqual(metadata["current_version"], 2)

    def test_old_versions_make_room(self):
        self.kv.update_metadata("app", max_versions=2, mount_point="kv2")
        for number in ["1", "2", "3"]:
            self.write(a=number)
        self.assertEqual(sorted(self.metadata()["versions"]), ["2", "3"])
        self.assertEqual(self.metadata()["oldest_version"], 2)
        with self.assertRaises(exceptions.InvalidPath):
            self.read(version=1)

    def test_all_versions_can_be_removed_at_once(self):
        self.write(a="1")
        self.write(a="2")
        self.kv.delete_metadata_and_all_versions("app", mount_point="kv2")
        with self.assertRaises(exceptions.InvalidPath):
            self.metadata()
        self.assertEqual(self.write(cas=0, a="new")["version"], 1)

    def test_a_listing_shows_secrets_and_folders(self):
        for path in ["one", "folder/two", "folder/deeper/three"]:
            self.write(path, a="1")
        for folder, keys in [("", ["folder/", "one"]), ("folder", ["deeper/", "two"])]:
            self.assertEqual(self.kv.list_secrets(folder, mount_point="kv2")["data"]["keys"], keys)
        with self.assertRaises(exceptions.InvalidPath):
            self.kv.list_secrets("nothing", mount_point="kv2")

    def test_the_mount_is_configured(self):
        self.kv.configure(max_versions=3, cas_required=True, delete_version_after="1h", mount_point="kv2")
        configuration = self.kv.read_configuration(mount_point="kv2")["data"]
        self.assertEqual(configuration["max_versions"], 3)
        self.assertTrue(configuration["cas_required"])
        self.assertEqual(configuration["delete_version_after"], "1h0m0s")
        with self.assertRaisesRegex(exceptions.InvalidRequest, "check-and-set"):
            self.write(a="1")
        self.kv.configure(max_versions=0, cas_required=False, delete_version_after="0s", mount_point="kv2")
        self.assertEqual(self.write(a="1")["version"], 1)
