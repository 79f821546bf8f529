package clients

import (
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// Entities, aliases and groups, by the paths that Terraform's provider uses through this client.
func TestIdentity(t *testing.T) {
	client := root(t)
	write := func(path string, body map[string]any) map[string]any {
		t.Helper()
		secret, err := client.Logical().Write(path, body)
		must(t, err)
		if secret == nil {
			return nil
		}
		return secret.Data
	}

	t.Run("an entity is kept, found and forgotten", func(t *testing.T) {
		id := write("identity/entity", map[string]any{"name": "dora", "metadata": map[string]string{"team": "ops"}})["id"]
		read, err := client.Logical().Read("identity/entity/name/dora")
		must(t, err)
		equal(t, "id", read.Data["id"], id)
		equal(t, "metadata", read.Data["metadata"], any(map[string]any{"team": "ops"}))
		equal(t, "looked up", write("identity/lookup/entity", map[string]any{"name": "dora"})["id"], id)
		_, err = client.Logical().Delete("identity/entity/id/" + id.(string))
		must(t, err)
		gone, err := client.Logical().Read("identity/entity/name/dora")
		must(t, err)
		if gone != nil {
			t.Fatalf("still there: %v", gone.Data)
		}
	})

	t.Run("a login is an alias, and a group gives it policies", func(t *testing.T) {
		must(t, client.Sys().EnableAuthWithOptions("crew", &api.EnableAuthOptions{Type: "userpass"}))
		mounts, err := client.Sys().ListAuth()
		must(t, err)
		write("auth/crew/users/emil", map[string]any{"password": "a long passphrase"})
		entity := write("identity/entity", map[string]any{"name": "emil"})["id"]
		write("identity/entity-alias", map[string]any{
			"name": "emil", "canonical_id": entity, "mount_accessor": mounts["crew/"].Accessor,
		})
		must(t, client.Sys().PutPolicy("crew", `path "cubbyhole/crew" { capabilities = ["read"] }`))
		write("identity/group", map[string]any{"name": "crew", "policies": "crew", "member_entity_ids": []any{entity}})
		secret, err := newClient(t, "").Logical().Write("auth/crew/login/emil", map[string]any{"password": "a long passphrase"})
		must(t, err)
		equal(t, "entity", secret.Auth.EntityID, entity.(string))
		equal(t, "policies", secret.Auth.IdentityPolicies, []string{"crew"})
	})
}
