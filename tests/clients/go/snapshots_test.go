package clients

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// Snapshots of the whole vault, under the paths of raft storage.
func TestSnapshots(t *testing.T) {
	client := root(t)
	mount(t, "snapshots", "1")
	ctx, system, kv := context.Background(), client.Sys(), client.KVv1("snapshots")

	t.Run("a snapshot puts everything back", func(t *testing.T) {
		must(t, kv.Put(ctx, "old", map[string]any{"x": "1"}))
		var archive bytes.Buffer
		must(t, system.RaftSnapshot(&archive))
		must(t, kv.Put(ctx, "old", map[string]any{"x": "2"}))
		must(t, kv.Put(ctx, "new", map[string]any{"x": "2"}))

		altered := bytes.Clone(archive.Bytes())
		altered[len(altered)/2] ^= 1
		for _, force := range []bool{false, true} {
			if system.RaftSnapshotRestore(bytes.NewReader(altered), force) == nil {
				t.Fatal("an altered snapshot was restored")
			}
		}

		for _, force := range []bool{false, true} {
			must(t, system.RaftSnapshotRestore(bytes.NewReader(archive.Bytes()), force))
			status, err := system.SealStatus()
			must(t, err)
			equal(t, "sealed after the restore", status.Sealed, true)
			for _, key := range shared.answer.KeysB64[1:] {
				status, err = system.Unseal(key)
				must(t, err)
			}
			equal(t, "sealed", status.Sealed, false)
			secret, err := kv.Get(ctx, "old")
			must(t, err)
			equal(t, "what was saved", secret.Data["x"], any("1"))
			if _, err = kv.Get(ctx, "new"); err == nil {
				t.Fatal("what was written after the snapshot is still there")
			}
		}
	})

	t.Run("a cluster of one", func(t *testing.T) {
		state, err := system.RaftAutopilotState()
		must(t, err)
		equal(t, "alone", []any{state.Healthy, state.FailureTolerance, len(state.Servers)}, []any{true, 0, 1})
		configuration, err := system.RaftAutopilotConfiguration()
		must(t, err)
		equal(t, "cleans up by itself", configuration.CleanupDeadServers, false)
		_, err = system.RaftJoin(&api.RaftJoinRequest{LeaderAPIAddr: "https://127.0.0.1:8200"})
		refused(t, err, http.StatusBadRequest, "single server")
	})
}
