package clients

import (
	"net/http"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"
)

// Auth methods, leases, and the watcher that renews a token for as long as it may live.
func TestAuth(t *testing.T) {
	client := root(t)
	must(t, client.Sys().EnableAuthWithOptions("approle", &api.EnableAuthOptions{Type: "approle"}))
	role := map[string]any{"token_ttl": "2s", "token_max_ttl": "1h", "token_policies": "default"}
	_, err := client.Logical().Write("auth/approle/role/ci", role)
	must(t, err)
	secret, err := client.Logical().Read("auth/approle/role/ci/role-id")
	must(t, err)
	roleID := secret.Data["role_id"]

	login := func(t *testing.T) (*api.Secret, error) {
		drawn, err := client.Logical().Write("auth/approle/role/ci/secret-id", nil)
		must(t, err)
		evidence := map[string]any{"role_id": roleID, "secret_id": drawn.Data["secret_id"]}
		return newClient(t, "").Logical().Write("auth/approle/login", evidence)
	}

	t.Run("the watcher keeps a token alive", func(t *testing.T) {
		auth, err := login(t)
		must(t, err)
		own := newClient(t, auth.Auth.ClientToken)
		watcher, err := own.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: auth})
		must(t, err)
		go watcher.Start()
		defer watcher.Stop()
		for renewals := 0; renewals < 3; {
			select {
			case err := <-watcher.DoneCh():
				t.Fatalf("the watcher ended early: %v", err)
			case renewal := <-watcher.RenewCh():
				equal(t, "renewed", renewal.Secret.Auth.ClientToken, auth.Auth.ClientToken)
				renewals++
			case <-time.After(30 * time.Second):
				t.Fatal("nothing was renewed")
			}
		}
		_, err = own.Auth().Token().LookupSelf()
		must(t, err)
	})

	t.Run("a prefix of leases ends at once", func(t *testing.T) {
		auth, err := login(t)
		must(t, err)
		must(t, client.Sys().RevokePrefix("auth/approle/login"))
		_, err = newClient(t, auth.Auth.ClientToken).Auth().Token().LookupSelf()
		refused(t, err, http.StatusForbidden, "permission denied")
	})

	t.Run("methods are listed and taken away with their tokens", func(t *testing.T) {
		methods, err := client.Sys().ListAuth()
		must(t, err)
		equal(t, "type", methods["approle/"].Type, "approle")
		auth, err := login(t)
		must(t, err)
		must(t, client.Sys().DisableAuth("approle"))
		_, err = newClient(t, auth.Auth.ClientToken).Auth().Token().LookupSelf()
		refused(t, err, http.StatusForbidden, "permission denied")
	})
}
