"""What custodians do on an open vault, through hvac: new shares are begun and given up, a root token is made."""

import base64

import vault


class Custody(vault.VaultTestCase):
    def test_a_rekey_is_begun_and_given_up(self):
        begun = self.root.sys.start_rekey(secret_shares=3, secret_threshold=2, require_verification=True)
        self.assertEqual((begun["started"], begun["n"], begun["t"], begun["required"]), (True, 3, 2, 2))
        given = self.root.sys.rekey(vault.vault().keys[0], nonce=begun["nonce"])
        self.assertEqual(given["progress"], 1)
        self.assertEqual(self.root.sys.read_rekey_progress()["progress"], 1)
        self.root.sys.cancel_rekey()
        self.assertFalse(self.root.sys.read_rekey_progress()["started"])

    def test_custodians_make_a_root_token(self):
        begun = self.root.sys.start_root_token_generation()
        otp, nonce = begun["otp"], begun["nonce"]
        for key in vault.vault().keys[: vault.THRESHOLD]:
            answer = self.root.sys.generate_root(key, nonce)
        self.assertTrue(answer["complete"])
        encoded = answer["encoded_token"]
        sealed = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        token = "".join(chr(one ^ ord(other)) for one, other in zip(sealed, otp, strict=True))
        made = vault.client(token)
        self.assertEqual(made.lookup_token()["data"]["policies"], ["root"])
        made.auth.token.revoke_self()

    def test_the_key_is_rotated(self):
        before = self.root.sys.get_encryption_key_status()["data"]["term"]
        self.root.sys.rotate_encryption_key()
        self.assertEqual(self.root.sys.get_encryption_key_status()["data"]["term"], before + 1)
