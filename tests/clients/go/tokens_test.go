package clients

import (
	"net/http"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"
)

func assertDead(t *testing.T, token string) {
	t.Helper()
	_, err := newClient(t, token).Auth().Token().LookupSelf()
	refused(t, err, http.StatusForbidden, "")
}

// Tokens, accessors and roles.
func TestTokens(t *testing.T) {
	client := root(t)
	tokens := client.Auth().Token()
	reader := api.TokenCreateRequest{Policies: []string{"reader"}, TTL: "1h"}

	t.Run("a token looks at itself and is renewed", func(t *testing.T) {
		made := create(t, client, reader)
		own := newClient(t, made.ClientToken)
		self, err := own.Auth().Token().LookupSelf()
		must(t, err)
		names, err := self.TokenPolicies()
		must(t, err)
		equal(t, "policies", names, []string{"default", "reader"})
		renewed, err := own.Auth().Token().RenewSelf(1800)
		must(t, err)
		equal(t, "renewed", renewed.Auth.LeaseDuration, 1800)
		seen, err := tokens.LookupAccessor(made.Accessor)
		must(t, err)
		ttl, err := seen.TokenTTL()
		must(t, err)
		if ttl <= 0 || ttl > 1800*time.Second {
			t.Fatalf("time left after the renewal: %v", ttl)
		}
	})

	t.Run("an accessor names a token without its power", func(t *testing.T) {
		made := create(t, client, reader)
		seen, err := tokens.LookupAccessor(made.Accessor)
		must(t, err)
		equal(t, "id", seen.Data["id"], "")
		must(t, tokens.RevokeAccessor(made.Accessor))
		assertDead(t, made.ClientToken)
	})

	t.Run("children die with their parent and orphans do not", func(t *testing.T) {
		rules := `path "auth/token/create*" { capabilities = ["update", "sudo"] }`
		must(t, client.Sys().PutPolicy("maker", rules))
		maker := api.TokenCreateRequest{Policies: []string{"maker"}, TTL: "1h"}
		parent := create(t, client, maker)
		acting := newClient(t, parent.ClientToken)
		child := create(t, acting, maker)
		orphan, err := acting.Auth().Token().CreateOrphan(&maker)
		must(t, err)
		must(t, tokens.RevokeTree(parent.ClientToken))
		assertDead(t, parent.ClientToken)
		assertDead(t, child.ClientToken)
		self, err := newClient(t, orphan.Auth.ClientToken).Auth().Token().LookupSelf()
		must(t, err)
		equal(t, "orphan", self.Data["orphan"], true)
	})

	t.Run("children can be spared", func(t *testing.T) {
		must(t, client.Sys().PutPolicy("spared", `path "auth/token/create" { capabilities = ["update"] }`))
		spared := api.TokenCreateRequest{Policies: []string{"spared"}, TTL: "1h"}
		parent := create(t, client, spared)
		child := create(t, newClient(t, parent.ClientToken), spared)
		must(t, tokens.RevokeOrphan(parent.ClientToken))
		assertDead(t, parent.ClientToken)
		_, err := newClient(t, child.ClientToken).Auth().Token().LookupSelf()
		must(t, err)
	})

	t.Run("a token gives itself up", func(t *testing.T) {
		made := create(t, client, reader)
		must(t, newClient(t, made.ClientToken).Auth().Token().RevokeSelf(""))
		assertDead(t, made.ClientToken)
	})

	t.Run("roles shape tokens", func(t *testing.T) {
		role := map[string]any{"allowed_policies": []string{"reader"}, "orphan": true}
		_, err := client.Logical().Write("auth/token/roles/deploy", role)
		must(t, err)
		made, err := tokens.CreateWithRole(&reader, "deploy")
		must(t, err)
		equal(t, "orphan", made.Auth.Orphan, true)
		_, err = tokens.CreateWithRole(&api.TokenCreateRequest{Policies: []string{"other"}}, "deploy")
		refused(t, err, http.StatusBadRequest, "")
	})
}
