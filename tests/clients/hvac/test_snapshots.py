"""Snapshots of the whole vault through hvac's raft class."""

import vault


class Snapshots(vault.VaultTestCase):
    def test_a_snapshot_is_a_gzip_stream(self):
        response = self.root.sys.take_raft_snapshot()
        content = response.content
        self.assertEqual((response.status_code, content[:2]), (200, b"\x1f\x8b"))
        self.assertGreater(len(content), 1000)
