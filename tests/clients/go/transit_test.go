package clients

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// Keys that never leave the vault: the client has no functions for them and writes to their paths.
func TestTransit(t *testing.T) {
	client := root(t)
	must(t, client.Sys().Mount("transit", &api.MountInput{Type: "transit"}))
	write := func(path string, body map[string]any) map[string]any {
		t.Helper()
		secret, err := client.Logical().Write("transit/"+path, body)
		must(t, err)
		if secret == nil {
			return nil
		}
		return secret.Data
	}
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	write("keys/k", nil)

	t.Run("what is encrypted is decrypted, and nothing else is", func(t *testing.T) {
		ciphertext := write("encrypt/k", map[string]any{"plaintext": encoded("a secret")})["ciphertext"].(string)
		opened := write("decrypt/k", map[string]any{"ciphertext": ciphertext})
		equal(t, "plaintext", opened["plaintext"], any(encoded("a secret")))
		altered := ciphertext[:len(ciphertext)-4] + "AAA="
		_, err := client.Logical().Write("transit/decrypt/k", map[string]any{"ciphertext": altered})
		refused(t, err, http.StatusBadRequest, "")
	})

	t.Run("a rotated key rewraps", func(t *testing.T) {
		ciphertext := write("encrypt/k", map[string]any{"plaintext": encoded("a secret")})["ciphertext"]
		write("keys/k/rotate", nil)
		rewrapped := write("rewrap/k", map[string]any{"ciphertext": ciphertext})["ciphertext"].(string)
		if !strings.HasPrefix(rewrapped, "vault:v2:") {
			t.Fatalf("not of version 2: %s", rewrapped)
		}
		opened := write("decrypt/k", map[string]any{"ciphertext": rewrapped})
		equal(t, "plaintext", opened["plaintext"], any(encoded("a secret")))
	})

	t.Run("a batch has an outcome for each item", func(t *testing.T) {
		items := []map[string]any{{"plaintext": encoded("one")}, {"plaintext": encoded("two")}}
		made := write("encrypt/k", map[string]any{"batch_input": items})["batch_results"].([]any)
		opened := write("decrypt/k", map[string]any{"batch_input": made})["batch_results"].([]any)
		equal(t, "items", len(opened), 2)
		equal(t, "second", opened[1].(map[string]any)["plaintext"], any(encoded("two")))
	})

	t.Run("signatures are verified", func(t *testing.T) {
		write("keys/signer", map[string]any{"type": "ed25519"})
		signature := write("sign/signer", map[string]any{"input": encoded("a message")})["signature"]
		valid := write("verify/signer", map[string]any{"input": encoded("a message"), "signature": signature})["valid"]
		equal(t, "its own message", valid, any(true))
		valid = write("verify/signer", map[string]any{"input": encoded("another"), "signature": signature})["valid"]
		equal(t, "another message", valid, any(false))
	})

	t.Run("a data key comes with its wrapped form", func(t *testing.T) {
		made := write("datakey/plaintext/k", nil)
		opened := write("decrypt/k", map[string]any{"ciphertext": made["ciphertext"]})
		equal(t, "the key", opened["plaintext"], made["plaintext"])
	})
}
