package clients

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// What custodians do on an open vault.
func TestCustody(t *testing.T) {
	system := root(t).Sys()

	t.Run("a rekey is begun and given up", func(t *testing.T) {
		begun, err := system.RekeyInit(&api.RekeyInitRequest{SecretShares: 3, SecretThreshold: 2})
		must(t, err)
		equal(t, "begun", []any{begun.Started, begun.N, begun.T, begun.Required}, []any{true, 3, 2, 2})
		_, err = system.RekeyUpdate(shared.answer.KeysB64[0], begun.Nonce)
		must(t, err)
		status, err := system.RekeyStatus()
		must(t, err)
		equal(t, "progress", status.Progress, 1)
		must(t, system.RekeyCancel())
		status, err = system.RekeyStatus()
		must(t, err)
		equal(t, "started", status.Started, false)
	})

	t.Run("new shares are begun and given up by the newer paths too", func(t *testing.T) {
		begun, err := system.RotateRootInit(&api.RotateInitRequest{SecretShares: 3, SecretThreshold: 2})
		must(t, err)
		equal(t, "begun", []any{begun.Started, begun.N, begun.T, begun.Required}, []any{true, 3, 2, 2})
		_, err = system.RotateRootUpdate(shared.answer.KeysB64[0], begun.Nonce)
		must(t, err)
		status, err := system.RotateRootStatus()
		must(t, err)
		equal(t, "progress", status.Progress, 1)
		must(t, system.RotateRootCancel())
		status, err = system.RotateRootStatus()
		must(t, err)
		equal(t, "started", status.Started, false)
	})

	t.Run("custodians make a root token", func(t *testing.T) {
		begun, err := system.GenerateRootInit("", "")
		must(t, err)
		var status *api.GenerateRootStatusResponse
		for _, key := range shared.answer.KeysB64[:2] {
			status, err = system.GenerateRootUpdate(key, begun.Nonce)
			must(t, err)
		}
		equal(t, "complete", status.Complete, true)
		sealed, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(status.EncodedToken, "="))
		must(t, err)
		for place := range sealed {
			sealed[place] ^= begun.OTP[place]
		}
		made := newClient(t, string(sealed))
		self, err := made.Auth().Token().LookupSelf()
		must(t, err)
		equal(t, "policies", self.Data["policies"], any([]any{"root"}))
		must(t, made.Auth().Token().RevokeSelf(""))
	})

	t.Run("the key is rotated", func(t *testing.T) {
		before, err := system.KeyStatus()
		must(t, err)
		must(t, system.Rotate())
		after, err := system.KeyStatus()
		must(t, err)
		equal(t, "term", after.Term, before.Term+1)
	})
}
