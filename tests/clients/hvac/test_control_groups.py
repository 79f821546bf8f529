"""Control groups through hvac, which has no functions for them: raw calls, as its users make them."""

from hvac import exceptions

import vault

RULE = """
path "guarded/data/prod" {
  capabilities = ["read", "update"]
  control_group = {
    max_ttl = "4h"
    factor "leads" {
      controlled_capabilities = ["read"]
      identity {
        group_names = ["group-leads"]
        approvals = 1
      }
    }
  }
}
path "sys/control-group/*" { capabilities = ["create", "update"] }
"""


class ControlGroups(vault.VaultTestCase):
    def setUp(self):
        super().setUp()
        self.mount("guarded", 2)
        self.root.sys.enable_auth_method("userpass", path="guards")
        self.addCleanup(self.root.sys.disable_auth_method, "guards")
        self.people = {name: self.person(name) for name in ("nora", "otto")}
        self.leader = self.people["otto"].auth.token.lookup_self()["data"]["entity_id"]
        group = self.root.secrets.identity.create_or_update_group(
            name="group-leads", member_entity_ids=[self.leader]
        )["data"]["id"]
        self.addCleanup(self.root.secrets.identity.delete_group, group)
        self.policy("guarded", RULE)
        self.root.secrets.kv.v2.create_or_update_secret("prod", {"password": "hunter2"}, mount_point="guarded")

    def person(self, name):
        users = self.root.auth.userpass
        users.create_or_update_user(name, "a long passphrase", policies=["guarded"], mount_point="guards")
        person = vault.client()
        person.auth.userpass.login(name, "a long passphrase", mount_point="guards")
        return person

    def status(self, of, accessor):
        return of.write_data("sys/control-group/request", data={"accessor": accessor})["data"]

    def test_a_read_waits_until_it_is_authorized(self):
        nora, otto = self.people["nora"], self.people["otto"]
        held = nora.read("guarded/data/prod")
        self.assertIsNone(held["data"])
        token, accessor = held["wrap_info"]["token"], held["wrap_info"]["accessor"]
        self.assertEqual(held["wrap_info"]["creation_path"], "guarded/data/prod")
        self.assertEqual(held["wrap_info"]["ttl"], 4 * 3600)
        told = self.status(nora, accessor)
        self.assertEqual((told["approved"], told["request_path"]), (False, "guarded/data/prod"))
        with self.assertRaisesRegex(exceptions.InvalidRequest, "needs further approval"):
            nora.sys.unwrap(token=token)
        with self.assertRaises(exceptions.Forbidden):
            nora.write_data("sys/control-group/authorize", data={"accessor": accessor})
        answer = otto.write_data("sys/control-group/authorize", data={"accessor": accessor})
        self.assertTrue(answer["data"]["approved"])
        told = self.status(otto, accessor)
        self.assertEqual([one["entity_id"] for one in told["authorizations"]], [self.leader])
        given = nora.sys.unwrap(token=token)
        self.assertEqual(given["data"]["data"], {"password": "hunter2"})
        with self.assertRaises(exceptions.InvalidRequest):
            nora.sys.unwrap(token=token)

    def test_what_is_not_controlled_does_not_wait(self):
        written = self.people["nora"].secrets.kv.v2.create_or_update_secret("prod", {"a": "b"}, mount_point="guarded")
        self.assertEqual(written["data"]["version"], 2)

    def test_the_longest_wait_is_configured(self):
        self.root.write_data("sys/config/control-group", data={"max_ttl": "1h"})
        self.addCleanup(self.root.delete, "sys/config/control-group")
        self.assertEqual(self.root.read("sys/config/control-group")["data"]["max_ttl"], 3600)
        self.assertEqual(self.people["nora"].read("guarded/data/prod")["wrap_info"]["ttl"], 3600)
