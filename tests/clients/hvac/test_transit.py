"""Keys that never leave the vault, through hvac's transit class."""

import base64

import hvac.exceptions
import vault


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class Transit(vault.VaultTestCase):
    def setUp(self):
        super().setUp()
        self.root.sys.enable_secrets_engine("transit")
        self.addCleanup(self.root.sys.disable_secrets_engine, "transit")
        self.transit = self.root.secrets.transit
        self.transit.create_key(name="orders")

    def encrypt(self, text, **options):
        return self.transit.encrypt_data(name="orders", plaintext=encoded(text), **options)["data"]["ciphertext"]

    def decrypt(self, ciphertext, **options):
        data = self.transit.decrypt_data(name="orders", ciphertext=ciphertext, **options)["data"]
        return base64.b64decode(data["plaintext"]).decode()

    def test_what_is_encrypted_is_decrypted(self):
        ciphertext = self.encrypt("a secret")
        self.assertTrue(ciphertext.startswith("vault:v1:"))
        self.assertEqual(self.decrypt(ciphertext), "a secret")
        self.assertNotEqual(self.encrypt("a secret"), ciphertext)
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.decrypt(ciphertext[:-4] + "AAA=")

    def test_a_rotated_key_still_opens_and_old_versions_can_be_shut_out(self):
        old = self.encrypt("a secret")
        self.transit.rotate_key(name="orders")
        key = self.transit.read_key(name="orders")["data"]
        self.assertEqual((key["latest_version"], key["type"], sorted(key["keys"])), (2, "aes256-gcm96", ["1", "2"]))
        new = self.transit.rewrap_data(name="orders", ciphertext=old)["data"]["ciphertext"]
        self.assertTrue(new.startswith("vault:v2:"))
        self.transit.update_key_configuration(name="orders", min_decryption_version=2)
        self.assertEqual(self.decrypt(new), "a secret")
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.decrypt(old)

    def test_a_batch_has_an_outcome_for_each_item(self):
        items = [{"plaintext": encoded(text)} for text in ("one", "two")]
        made = self.transit.encrypt_data(name="orders", plaintext=None, batch_input=items)["data"]["batch_results"]
        opened = self.transit.decrypt_data(name="orders", ciphertext=None, batch_input=made)["data"]["batch_results"]
        self.assertEqual([item["plaintext"] for item in opened], [encoded("one"), encoded("two")])

    def test_a_derived_key_needs_its_context(self):
        self.transit.create_key(name="derived", derived=True, convergent_encryption=True)
        context = encoded("customer 7")
        make = lambda: self.transit.encrypt_data(name="derived", plaintext=encoded("x"), context=context)["data"]
        self.assertEqual(make()["ciphertext"], make()["ciphertext"])
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.decrypt_data(name="derived", ciphertext=make()["ciphertext"], context=encoded("customer 8"))

    def test_signatures_and_keyed_hashes_are_verified(self):
        self.transit.create_key(name="signer", key_type="ed25519")
        message = encoded("a message")
        signature = self.transit.sign_data(name="signer", hash_input=message)["data"]["signature"]
        hashed = self.transit.generate_hmac(name="orders", hash_input=message)["data"]["hmac"]

        def verified(of, **proof):
            return self.transit.verify_signed_data(name=of, **proof)["data"]["valid"]

        self.assertTrue(verified("signer", hash_input=message, signature=signature))
        self.assertFalse(verified("signer", hash_input=encoded("another"), signature=signature))
        self.assertTrue(verified("orders", hash_input=message, hmac=hashed))
        self.assertFalse(verified("orders", hash_input=encoded("another"), hmac=hashed))

    def test_a_data_key_comes_with_its_wrapped_form(self):
        made = self.transit.generate_data_key(name="orders", key_type="plaintext")["data"]
        opened = self.transit.decrypt_data(name="orders", ciphertext=made["ciphertext"])["data"]["plaintext"]
        self.assertEqual(opened, made["plaintext"])
        self.assertEqual(len(base64.b64decode(made["plaintext"])), 32)

    def test_keys_are_listed_exported_only_if_allowed_and_deleted_only_if_allowed(self):
        self.assertEqual(self.transit.list_keys()["data"]["keys"], ["orders"])
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.export_key(name="orders", key_type="encryption-key")
        with self.assertRaises(hvac.exceptions.InvalidRequest):
            self.transit.delete_key(name="orders")
        self.transit.update_key_configuration(name="orders", deletion_allowed=True)
        self.transit.delete_key(name="orders")
        with self.assertRaises(hvac.exceptions.InvalidPath):
            self.transit.read_key(name="orders")

    def test_random_bytes_and_hashes_need_no_key(self):
        drawn = self.transit.generate_random_bytes(n_bytes=24)["data"]["random_bytes"]
        self.assertEqual(len(base64.b64decode(drawn)), 24)
        sum_ = self.transit.hash_data(hash_input=encoded("abc"), algorithm="sha2-256")["data"]["sum"]
        self.assertEqual(sum_, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
