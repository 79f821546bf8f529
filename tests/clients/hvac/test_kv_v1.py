"""KV version 1 through hvac."""

from hvac import exceptions

import vault


class KvV1(vault.VaultTestCase):
    def setUp(self):
        super().setUp()
        self.mount("kv1", 1)
        self.kv = self.root.secrets.kv.v1

    def test_a_secret_is_written_read_replaced_and_deleted(self):
        self.kv.create_or_update_secret("app/db", {"user": "anna", "port": 5432}, mount_point="kv1")
        answer = self.kv.read_secret("app/db", mount_point="kv1")
        self.assertEqual(answer["data"], {"user": "anna", "port": 5432})

        self.kv.create_or_update_secret("app/db", {"user": "berta"}, mount_point="kv1")
        self.assertEqual(self.kv.read_secret("app/db", mount_point="kv1")["data"], {"user": "berta"})

        self.kv.delete_secret("app/db", mount_point="kv1")
        with self.assertRaises(exceptions.InvalidPath):
            self.kv.read_secret("app/db", mount_point="kv1")

    def test_a_listing_shows_secrets_and_folders(self):
        for path in ["one", "two", "folder/three"]:
            self.kv.create_or_update_secret(path, {"a": "b"}, mount_point="kv1")
        self.assertEqual(self.kv.list_secrets("", mount_point="kv1")["data"]["keys"], ["folder/", "one", "two"])
        self.assertEqual(self.kv.list_secrets("folder", mount_point="kv1")["data"]["keys"], ["three"])
        with self.assertRaises(exceptions.InvalidPath):
            self.kv.list_secrets("nothing", mount_point="kv1")

    def test_the_general_verbs_work_too(self):
        self.root.write_data("kv1/plain", data={"a": "b"})
        self.assertEqual(self.root.read("kv1/plain")["data"], {"a": "b"})
        self.assertEqual(self.root.list("kv1/")["data"]["keys"], ["plain"])
        self.root.delete("kv1/plain")
        self.assertIsNone(self.root.read("kv1/plain"))
