"""Entities, aliases and groups through hvac."""

import vault


class Identity(vault.VaultTestCase):
    def setUp(self):
        super().setUp()
        self.identity = self.root.secrets.identity
        made = self.identity.create_or_update_entity(name="anna", metadata={"team": "ops"}, policies=["default"])
        self.entity = made["data"]["id"]
        self.addCleanup(self.identity.delete_entity, self.entity)

    def test_an_entity_is_kept_and_found(self):
        read = self.identity.read_entity_by_name("anna")["data"]
        self.assertEqual((read["id"], read["metadata"], read["policies"]), (self.entity, {"team": "ops"}, ["default"]))
        self.assertIn(self.entity, self.identity.list_entities()["data"]["keys"])
        self.assertIn("anna", self.identity.list_entities_by_name()["data"]["keys"])
        self.assertEqual(self.identity.lookup_entity(name="anna")["data"]["id"], self.entity)

    def test_a_login_is_an_alias_and_a_group_gives_policies(self):
        self.policy("team-ops", 'path "cubbyhole/team" { capabilities = ["create", "read", "update"] }')
        self.root.sys.enable_auth_method("userpass", path="people")
        self.addCleanup(self.root.sys.disable_auth_method, "people")
        accessor = self.root.sys.list_auth_methods()["data"]["people/"]["accessor"]
        self.root.auth.userpass.create_or_update_user("anna", "a long passphrase", mount_point="people")
        self.identity.create_or_update_entity_alias(name="anna", canonical_id=self.entity, mount_accessor=accessor)
        group = self.identity.create_or_update_group(
            name="ops", group_type="internal", member_entity_ids=[self.entity], policies=["team-ops"]
        )["data"]["id"]
        self.addCleanup(self.identity.delete_group, group)
        auth = vault.client().auth.userpass.login("anna", "a long passphrase", mount_point="people")["auth"]
        self.assertEqual((auth["entity_id"], auth["identity_policies"]), (self.entity, ["default", "team-ops"]))
        lookup = self.identity.lookup_entity(alias_name="anna", alias_mount_accessor=accessor)
        self.assertEqual(lookup["data"]["group_ids"], [group])
