package clients

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"
)

// KV version 2.
func TestKvV2(t *testing.T) {
	client := root(t)
	mount(t, "kv2", "2")

	t.Run("check-and-set refuses a stale writer", func(t *testing.T) {
		ctx, kv := context.Background(), client.KVv2("kv2")
		written, err := kv.Put(ctx, "app/db", map[string]any{"user": "anna", "port": "1"}, api.WithCheckAndSet(0))
		must(t, err)
		equal(t, "version", written.VersionMetadata.Version, 1)
		_, err = kv.Put(ctx, "app/db", map[string]any{"user": "berta"}, api.WithCheckAndSet(0))
		refused(t, err, http.StatusBadRequest, "check-and-set")
		written, err = kv.Put(ctx, "app/db", map[string]any{"user": "berta", "port": "1"}, api.WithCheckAndSet(1))
		must(t, err)
		equal(t, "version", written.VersionMetadata.Version, 2)
		read, err := kv.Get(ctx, "app/db")
		must(t, err)
		equal(t, "data", read.Data, map[string]any{"user": "berta", "port": "1"})
		old, err := kv.GetVersion(ctx, "app/db", 1)
		must(t, err)
		equal(t, "old data", old.Data["user"], "anna")
		_, err = kv.Get(ctx, "nothing")
		if !errors.Is(err, api.ErrSecretNotFound) {
			t.Fatalf("a missing secret: %v", err)
		}
	})

	t.Run("a secret is patched both ways", func(t *testing.T) {
		ctx, kv := context.Background(), client.KVv2("kv2")
		_, err := kv.Put(ctx, "patched", map[string]any{"user": "berta", "port": "1"})
		must(t, err)
		for _, method := range []string{api.KVMergeMethodPatch, api.KVMergeMethodReadWrite} {
			_, err = kv.Patch(ctx, "patched", map[string]any{"port": method}, api.WithMergeMethod(method))
			must(t, err)
			read, err := kv.Get(ctx, "patched")
			must(t, err)
			equal(t, "patched", read.Data, map[string]any{"user": "berta", "port": method})
		}
	})

	t.Run("versions are deleted, brought back, destroyed and rolled back", func(t *testing.T) {
		ctx, kv := context.Background(), client.KVv2("kv2")
		for _, value := range []string{"one", "two", "three"} {
			_, err := kv.Put(ctx, "versions", map[string]any{"value": value})
			must(t, err)
		}
		must(t, kv.Delete(ctx, "versions"))
		deleted, err := kv.Get(ctx, "versions")
		must(t, err)
		if deleted.Data != nil || deleted.VersionMetadata.DeletionTime.IsZero() {
			t.Fatalf("a deleted version shows %v", deleted)
		}
		must(t, kv.Undelete(ctx, "versions", []int{3}))
		must(t, kv.DeleteVersions(ctx, "versions", []int{2}))
		must(t, kv.Destroy(ctx, "versions", []int{2}))
		_, err = kv.Rollback(ctx, "versions", 1)
		must(t, err)
		read, err := kv.Get(ctx, "versions")
		must(t, err)
		equal(t, "rolled back", []any{read.Data["value"], read.VersionMetadata.Version}, []any{"one", 4})
		all, err := kv.GetVersionsAsList(ctx, "versions")
		must(t, err)
		equal(t, "versions", len(all), 4)
		equal(t, "destroyed", []bool{all[0].Destroyed, all[1].Destroyed}, []bool{false, true})
	})

	t.Run("metadata is set, patched, read and deleted", func(t *testing.T) {
		ctx, kv := context.Background(), client.KVv2("kv2")
		must(t, kv.PutMetadata(ctx, "described", api.KVMetadataPutInput{
			CASRequired:        true,
			MaxVersions:        5,
			DeleteVersionAfter: time.Hour,
			CustomMetadata:     map[string]any{"owner": "anna", "team": "operations"},
		}))
		four := 4
		must(t, kv.PatchMetadata(ctx, "described", api.KVMetadataPatchInput{
			MaxVersions:    &four,
			CustomMetadata: map[string]any{"owner": nil},
		}))
		found, err := kv.GetMetadata(ctx, "described")
		must(t, err)
		equal(t, "settings", []any{found.CASRequired, found.MaxVersions, found.DeleteVersionAfter}, []any{true, 4, time.Hour})
		equal(t, "custom metadata", found.CustomMetadata, map[string]any{"team": "operations"})
		must(t, kv.DeleteMetadata(ctx, "described"))
		if _, err = kv.GetMetadata(ctx, "described"); !errors.Is(err, api.ErrSecretNotFound) {
			t.Fatalf("metadata that was deleted: %v", err)
		}
	})

	t.Run("a listing shows secrets and folders", func(t *testing.T) {
		_, err := client.KVv2("kv2").Put(context.Background(), "folder/a", map[string]any{"a": "b"})
		must(t, err)
		listed, err := client.Logical().List("kv2/metadata/folder")
		must(t, err)
		equal(t, "keys", listed.Data["keys"], []any{"a"})
		nothing, err := client.Logical().List("kv2/metadata/nothing")
		must(t, err)
		equal(t, "an empty listing", nothing, (*api.Secret)(nil))
	})
}
