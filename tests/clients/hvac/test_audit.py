"""Audit devices and rate limits through hvac."""

from hvac import exceptions

import vault


class Audit(vault.VaultTestCase):
    def test_a_device_follows_the_log(self):
        self.root.sys.enable_audit_device(device_type="file", path="copy", options={"file_path": "copy.jsonl"})
        self.addCleanup(self.root.sys.disable_audit_device, "copy")
        self.assertIn("copy/", self.root.sys.list_enabled_audit_devices()["data"])
        told = self.root.sys.calculate_hash(path="copy", input_to_hash="needle")
        self.assertTrue(told["data"]["hash"].startswith("hmac-sha256:"))

    def test_a_device_elsewhere_is_refused(self):
        with self.assertRaises(exceptions.InvalidRequest):
            self.root.sys.enable_audit_device(device_type="file", path="bad", options={"file_path": "/etc/bad"})

    def test_a_rate_limit_is_kept(self):
        self.root.sys.create_or_update_quota(name="all", path="nowhere", rate=1000)
        read = self.root.sys.read_quota(name="all")["data"]
        self.assertEqual((read["rate"], read["path"]), (1000, "nowhere"))
        self.root.sys.delete_quota(name="all")
