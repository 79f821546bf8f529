package clients

import (
	"context"
	"errors"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// KV version 1.
func TestKvV1(t *testing.T) {
	client := root(t)
	mount(t, "kv1", "1")

	t.Run("a secret is written, read and deleted", func(t *testing.T) {
		ctx, kv := context.Background(), client.KVv1("kv1")
		must(t, kv.Put(ctx, "app", map[string]any{"user": "anna"}))
		secret, err := kv.Get(ctx, "app")
		must(t, err)
		equal(t, "data", secret.Data, map[string]any{"user": "anna"})
		must(t, kv.Delete(ctx, "app"))
		_, err = kv.Get(ctx, "app")
		if !errors.Is(err, api.ErrSecretNotFound) {
			t.Fatalf("a deleted secret: %v", err)
		}
	})

	t.Run("a listing shows secrets and folders", func(t *testing.T) {
		for _, path := range []string{"one", "two", "folder/three"} {
			must(t, client.KVv1("kv1").Put(context.Background(), path, map[string]any{"a": "b"}))
		}
		listed, err := client.Logical().List("kv1")
		must(t, err)
		equal(t, "keys", listed.Data["keys"], []any{"folder/", "one", "two"})
		listed, err = client.Logical().List("kv1/folder")
		must(t, err)
		equal(t, "keys", listed.Data["keys"], []any{"three"})
	})
}
