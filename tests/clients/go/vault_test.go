// Package clients runs the stock Go API client against a Keyturn server whose vault is uninitialised when the tests
// begin: one file and one test for each area. VAULT_ADDR and VAULT_CACERT, which the client reads by itself, name the
// server.
package clients

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// What was seen while the vault was initialised and unsealed, once for all tests.
var shared struct {
	initialisedBefore bool
	healthBefore      *api.HealthResponse
	answer            *api.InitResponse
	sealed            *api.SealStatusResponse
	unsealing         []*api.SealStatusResponse
}

// root gives a client with the root token; the first call initialises and unseals the vault.
func root(t *testing.T) *api.Client {
	t.Helper()
	if shared.answer == nil {
		system := newClient(t, "").Sys()
		var err error
		shared.initialisedBefore, err = system.InitStatus()
		must(t, err)
		shared.healthBefore, err = system.Health()
		must(t, err)
		shared.answer, err = system.Init(&api.InitRequest{SecretShares: 3, SecretThreshold: 2})
		must(t, err)
		shared.sealed, err = system.SealStatus()
		must(t, err)
		for _, key := range shared.answer.KeysB64[:2] {
			status, err := system.Unseal(key)
			must(t, err)
			shared.unsealing = append(shared.unsealing, status)
		}
	}
	return newClient(t, shared.answer.RootToken)
}

// mount mounts a key-value engine.
func mount(t *testing.T, path, version string) {
	t.Helper()
	input := &api.MountInput{Type: "kv", Options: map[string]string{"version": version}}
	must(t, root(t).Sys().Mount(path, input))
}

// create makes a token with the rights of a client.
func create(t *testing.T, client *api.Client, request api.TokenCreateRequest) *api.SecretAuth {
	t.Helper()
	made, err := client.Auth().Token().Create(&request)
	must(t, err)
	return made.Auth
}

func newClient(t *testing.T, token string) *api.Client {
	t.Helper()
	config := api.DefaultConfig()
	if config.Error != nil {
		t.Fatal(config.Error)
	}
	config.MaxRetries = 0
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	client.SetToken(token)
	return client
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func refused(t *testing.T, err error, status int, text string) {
	t.Helper()
	var response *api.ResponseError
	if !errors.As(err, &response) {
		t.Fatalf("want status %d, got %v", status, err)
	}
	equal(t, "status", response.StatusCode, status)
	if !strings.Contains(err.Error(), text) {
		t.Fatalf("%q is not in %q", text, err)
	}
}
