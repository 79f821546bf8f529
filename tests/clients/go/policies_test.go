package clients

import (
	"context"
	"net/http"
	"slices"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// Policies.
func TestPolicies(t *testing.T) {
	client := root(t)

	t.Run("a policy is written, read, listed and deleted", func(t *testing.T) {
		rules := `path "secret/data/app/*" { capabilities = ["read"] }`
		must(t, client.Sys().PutPolicy("team", rules))
		got, err := client.Sys().GetPolicy("team")
		must(t, err)
		equal(t, "rules", got, rules)
		names, err := client.Sys().ListPolicies()
		must(t, err)
		if !slices.Contains(names, "team") || !slices.Contains(names, "default") {
			t.Fatalf("policies: %v", names)
		}
		missing, err := client.Sys().GetPolicy("missing")
		must(t, err)
		equal(t, "a missing policy", missing, "")
		must(t, client.Sys().DeletePolicy("team"))
		gone, err := client.Sys().GetPolicy("team")
		must(t, err)
		equal(t, "a deleted policy", gone, "")
	})

	t.Run("a policy that does not parse is refused", func(t *testing.T) {
		err := client.Sys().PutPolicy("broken", `path "x" { capabilities = ["fly"] }`)
		refused(t, err, http.StatusBadRequest, "")
	})

	t.Run("a token does what its policies allow and no more", func(t *testing.T) {
		ctx := context.Background()
		mount(t, "policy-kv", "2")
		must(t, client.Sys().PutPolicy("narrow", `path "policy-kv/data/mine/*" { capabilities = ["create", "read"] }`))
		made := create(t, client, api.TokenCreateRequest{Policies: []string{"narrow"}, TTL: "1h"})
		kv := newClient(t, made.ClientToken).KVv2("policy-kv")
		_, err := kv.Put(ctx, "mine/a", map[string]any{"b": "c"})
		must(t, err)
		_, err = kv.Get(ctx, "mine/a")
		must(t, err)
		_, err = kv.Put(ctx, "mine/a", map[string]any{"b": "d"})
		refused(t, err, http.StatusForbidden, "permission denied")
		_, err = kv.Get(ctx, "other/a")
		refused(t, err, http.StatusForbidden, "permission denied")
		allowed, err := newClient(t, made.ClientToken).Sys().CapabilitiesSelf("policy-kv/data/mine/a")
		must(t, err)
		equal(t, "capabilities", allowed, []string{"create", "read"})
	})
}
