package clients

import (
	"strings"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// Audit devices, quotas and tools.
func TestAudit(t *testing.T) {
	client := root(t)

	t.Run("an audit device is enabled, listed and disabled", func(t *testing.T) {
		options := &api.EnableAuditOptions{Type: "file", Options: map[string]string{"file_path": "go.jsonl"}}
		must(t, client.Sys().EnableAuditWithOptions("go", options))
		devices, err := client.Sys().ListAudit()
		must(t, err)
		equal(t, "kind", devices["go/"].Type, "file")
		hash, err := client.Sys().AuditHash("go", "a value")
		must(t, err)
		if !strings.HasPrefix(hash, "hmac-sha256:") {
			t.Fatalf("no hash: %s", hash)
		}
		must(t, client.Sys().DisableAudit("go"))
		devices, err = client.Sys().ListAudit()
		must(t, err)
		if _, there := devices["go/"]; there {
			t.Fatal("the device is still there")
		}
	})

	t.Run("a rate limit is kept and removed", func(t *testing.T) {
		path := "sys/quotas/rate-limit/go"
		_, err := client.Logical().Write(path, map[string]any{"path": "nowhere-go/", "rate": 100})
		must(t, err)
		read, err := client.Logical().Read(path)
		must(t, err)
		equal(t, "path", read.Data["path"], any("nowhere-go/"))
		_, err = client.Logical().Delete(path)
		must(t, err)
	})

	t.Run("tools hash", func(t *testing.T) {
		secret, err := client.Logical().Write("sys/tools/hash/sha2-256", map[string]any{"input": "YWJj"})
		must(t, err)
		sum := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
		equal(t, "sum", secret.Data["sum"], any(sum))
	})
}
