package clients

import (
	"net/http"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

const rule = `
path "guarded/prod" {
  capabilities = ["read"]
  control_group = {
    factor "leads" {
      identity {
        group_names = ["leads"]
        approvals   = 1
      }
    }
  }
}
path "sys/control-group/*" { capabilities = ["create", "update"] }
`

// Control groups, by the calls that Vault documents for them.
func TestControlGroups(t *testing.T) {
	client := root(t)
	mount(t, "guarded", "1")
	must(t, client.Sys().EnableAuthWithOptions("guards", &api.EnableAuthOptions{Type: "userpass"}))
	write := func(with *api.Client, path string, body map[string]any) *api.Secret {
		t.Helper()
		secret, err := with.Logical().Write(path, body)
		must(t, err)
		return secret
	}
	write(client, "guarded/prod", map[string]any{"password": "hunter2"})
	person := func(name string) (*api.Client, string) {
		t.Helper()
		write(client, "auth/guards/users/"+name, map[string]any{"password": "a long passphrase", "token_policies": "guarded"})
		login := write(newClient(t, ""), "auth/guards/login/"+name, map[string]any{"password": "a long passphrase"})
		return newClient(t, login.Auth.ClientToken), login.Auth.EntityID
	}
	paul, _ := person("paul")
	rosa, entity := person("rosa")
	write(client, "identity/group", map[string]any{"name": "leads", "member_entity_ids": []any{entity}})
	must(t, client.Sys().PutPolicy("guarded", rule))

	ask := func() *api.SecretWrapInfo {
		t.Helper()
		held, err := paul.Logical().Read("guarded/prod")
		must(t, err)
		if held.WrapInfo == nil || held.Data != nil {
			t.Fatalf("the request was not held back: %v", held)
		}
		return held.WrapInfo
	}

	t.Run("a read waits until it is authorized", func(t *testing.T) {
		held := ask()
		equal(t, "creation path", held.CreationPath, "guarded/prod")
		_, err := paul.Logical().Unwrap(held.Token)
		refused(t, err, http.StatusBadRequest, "needs further approval")
		_, err = paul.Logical().Write("sys/control-group/authorize", map[string]any{"accessor": held.Accessor})
		refused(t, err, http.StatusForbidden, "others must agree")
		told := write(paul, "sys/control-group/request", map[string]any{"accessor": held.Accessor})
		equal(t, "approved", told.Data["approved"], any(false))
		given := write(rosa, "sys/control-group/authorize", map[string]any{"accessor": held.Accessor})
		equal(t, "approved", given.Data["approved"], any(true))
		secret, err := paul.Logical().Unwrap(held.Token)
		must(t, err)
		equal(t, "password", secret.Data["password"], any("hunter2"))
		_, err = paul.Logical().Unwrap(held.Token)
		refused(t, err, http.StatusBadRequest, "")
	})

	t.Run("the wrapping token alone takes it", func(t *testing.T) {
		held := ask()
		write(rosa, "sys/control-group/authorize", map[string]any{"accessor": held.Accessor})
		secret, err := newClient(t, "").Logical().Unwrap(held.Token)
		must(t, err)
		equal(t, "password", secret.Data["password"], any("hunter2"))
	})
}
