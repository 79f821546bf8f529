// Package clients runs the stock Go API client against a Keyturn server whose vault is uninitialised when the tests
// begin. VAULT_ADDR and VAULT_CACERT, which the client reads by itself, name the server.
package clients

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"
)

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

// The parts run one after another: each builds on the vault as the one before left it.
func TestGoClient(t *testing.T) {
	client := newClient(t, "")
	var keys []string
	parts := []struct {
		name string
		run  func(*testing.T)
	}{
		{"init", func(t *testing.T) { keys = initialise(t, client) }},
		{"unseal", func(t *testing.T) { unseal(t, client, keys) }},
		{"mounts", func(t *testing.T) { mounts(t, client) }},
		{"KV version 1", func(t *testing.T) { keyValueVersion1(t, client) }},
		{"KV version 2", func(t *testing.T) { keyValueVersion2(t, client) }},
		{"KV version 2 versions", func(t *testing.T) { versions(t, client) }},
		{"KV version 2 metadata", func(t *testing.T) { metadata(t, client) }},
		{"logical", func(t *testing.T) { logical(t, client) }},
		{"policies", func(t *testing.T) { policies(t, client) }},
		{"tokens", func(t *testing.T) { tokens(t, client) }},
		{"errors", func(t *testing.T) { mistakes(t, client) }},
		{"snapshots", func(t *testing.T) { snapshots(t, client, keys) }},
		{"seal", func(t *testing.T) { seal(t, client, keys) }},
	}
	for _, part := range parts {
		if !t.Run(part.name, part.run) {
			t.FailNow()
		}
	}
}

func initialise(t *testing.T, client *api.Client) []string {
	initialised, err := client.Sys().InitStatus()
	must(t, err)
	equal(t, "initialised", initialised, false)
	health, err := client.Sys().Health()
	must(t, err)
	equal(t, "initialised by health", health.Initialized, false)
	answer, err := client.Sys().Init(&api.InitRequest{SecretShares: 3, SecretThreshold: 2})
	must(t, err)
	equal(t, "shares", len(answer.KeysB64), 3)
	client.SetToken(answer.RootToken)
	_, err = client.Sys().Init(&api.InitRequest{SecretShares: 1, SecretThreshold: 1})
	refused(t, err, http.StatusBadRequest, "")
	return answer.KeysB64
}

func unseal(t *testing.T, client *api.Client, keys []string) {
	status, err := client.Sys().SealStatus()
	must(t, err)
	equal(t, "sealed", status.Sealed, true)
	equal(t, "quorum", []int{status.T, status.N}, []int{2, 3})
	_, err = client.Sys().ListMounts()
	refused(t, err, http.StatusServiceUnavailable, "")
	status, err = client.Sys().Unseal(keys[0])
	must(t, err)
	equal(t, "progress", status.Progress, 1)
	status, err = client.Sys().Unseal(keys[2])
	must(t, err)
	equal(t, "sealed", status.Sealed, false)
	health, err := client.Sys().Health()
	must(t, err)
	equal(t, "health", []bool{health.Initialized, health.Sealed, health.Standby}, []bool{true, false, false})
	if health.ClusterID == "" || health.Version == "" {
		t.Fatalf("health tells neither cluster nor version: %+v", health)
	}
	_, err = client.Sys().Leader()
	must(t, err)
}

func mounts(t *testing.T, client *api.Client) {
	system := client.Sys()
	must(t, system.Mount("secret", &api.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	must(t, system.Mount("plain", &api.MountInput{Type: "kv", Description: "version 1"}))
	listed, err := system.ListMounts()
	must(t, err)
	equal(t, "options", listed["secret/"].Options["version"], "2")
	equal(t, "description", listed["plain/"].Description, "version 1")
	must(t, system.TuneMount("plain", api.MountConfigInput{DefaultLeaseTTL: "1h", MaxLeaseTTL: "2h"}))
	tuned, err := system.MountConfig("plain")
	must(t, err)
	equal(t, "tuned", []int{tuned.DefaultLeaseTTL, tuned.MaxLeaseTTL}, []int{3600, 7200})
	err = system.Mount("secret", &api.MountInput{Type: "kv"})
	refused(t, err, http.StatusBadRequest, "")
	must(t, system.Mount("short", &api.MountInput{Type: "kv"}))
	must(t, system.Unmount("short"))
	listed, err = system.ListMounts()
	must(t, err)
	if _, there := listed["short/"]; there {
		t.Fatal("the mount is still there")
	}
}

func keyValueVersion1(t *testing.T, client *api.Client) {
	ctx, kv := context.Background(), client.KVv1("plain")
	must(t, kv.Put(ctx, "app", map[string]any{"user": "anna"}))
	secret, err := kv.Get(ctx, "app")
	must(t, err)
	equal(t, "data", secret.Data, map[string]any{"user": "anna"})
	must(t, kv.Delete(ctx, "app"))
	_, err = kv.Get(ctx, "app")
	if !errors.Is(err, api.ErrSecretNotFound) {
		t.Fatalf("a deleted secret: %v", err)
	}
}

func keyValueVersion2(t *testing.T, client *api.Client) {
	ctx, kv := context.Background(), client.KVv2("secret")
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
	for _, method := range []string{api.KVMergeMethodPatch, api.KVMergeMethodReadWrite} {
		_, err = kv.Patch(ctx, "app/db", map[string]any{"port": method}, api.WithMergeMethod(method))
		must(t, err)
		read, err = kv.Get(ctx, "app/db")
		must(t, err)
		equal(t, "patched", read.Data, map[string]any{"user": "berta", "port": method})
	}
	_, err = kv.Get(ctx, "nothing")
	if !errors.Is(err, api.ErrSecretNotFound) {
		t.Fatalf("a missing secret: %v", err)
	}
}

func versions(t *testing.T, client *api.Client) {
	ctx, kv := context.Background(), client.KVv2("secret")
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
}

func metadata(t *testing.T, client *api.Client) {
	ctx, kv := context.Background(), client.KVv2("secret")
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
}

func logical(t *testing.T, client *api.Client) {
	ctx := context.Background()
	_, err := client.KVv2("secret").Put(ctx, "top", map[string]any{"a": "b"})
	must(t, err)
	listed, err := client.Logical().List("secret/metadata")
	must(t, err)
	equal(t, "keys", listed.Data["keys"], []any{"app/", "top", "versions"})
	nothing, err := client.Logical().List("secret/metadata/nothing")
	must(t, err)
	equal(t, "an empty listing", nothing, (*api.Secret)(nil))
	secret, err := client.Logical().Read("secret/data/top")
	must(t, err)
	if secret.RequestID == "" {
		t.Fatal("the answer has no request id")
	}
	_, err = client.Logical().Write("cubbyhole/mine", map[string]any{"a": "b"})
	must(t, err)
	mine, err := client.Logical().Read("cubbyhole/mine")
	must(t, err)
	equal(t, "cubbyhole", mine.Data, map[string]any{"a": "b"})
	_, err = client.Logical().Delete("cubbyhole/mine")
	must(t, err)
}

func policies(t *testing.T, client *api.Client) {
	rules := `path "secret/data/app/*" { capabilities = ["read"] }`
	must(t, client.Sys().PutPolicy("reader", rules))
	got, err := client.Sys().GetPolicy("reader")
	must(t, err)
	equal(t, "rules", got, rules)
	names, err := client.Sys().ListPolicies()
	must(t, err)
	if !slices.Contains(names, "reader") || !slices.Contains(names, "default") {
		t.Fatalf("policies: %v", names)
	}
	missing, err := client.Sys().GetPolicy("missing")
	must(t, err)
	equal(t, "a missing policy", missing, "")
}

func tokens(t *testing.T, client *api.Client) {
	made, err := client.Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"reader"}, TTL: "1h"})
	must(t, err)
	reader := newClient(t, made.Auth.ClientToken)
	_, err = reader.KVv2("secret").Get(context.Background(), "app/db")
	must(t, err)
	_, err = reader.KVv2("secret").Get(context.Background(), "top")
	refused(t, err, http.StatusForbidden, "permission denied")

	self, err := reader.Auth().Token().LookupSelf()
	must(t, err)
	names, err := self.TokenPolicies()
	must(t, err)
	equal(t, "policies", names, []string{"default", "reader"})
	renewed, err := reader.Auth().Token().RenewSelf(1800)
	must(t, err)
	equal(t, "renewed", renewed.Auth.LeaseDuration, 1800)
	seen, err := client.Auth().Token().LookupAccessor(made.Auth.Accessor)
	must(t, err)
	ttl, err := seen.TokenTTL()
	must(t, err)
	if ttl <= 0 || ttl > 1800*time.Second {
		t.Fatalf("time left after the renewal: %v", ttl)
	}
	allowed, err := reader.Sys().CapabilitiesSelf("secret/data/app/db")
	must(t, err)
	equal(t, "capabilities", allowed, []string{"read"})

	must(t, client.Auth().Token().RevokeTree(made.Auth.ClientToken))
	_, err = reader.Auth().Token().LookupSelf()
	refused(t, err, http.StatusForbidden, "")
}

func mistakes(t *testing.T, client *api.Client) {
	_, err := newClient(t, "").Logical().Read("secret/data/top")
	refused(t, err, http.StatusForbidden, "")
	_, err = newClient(t, "hvs.not-a-token").Logical().Read("secret/data/top")
	refused(t, err, http.StatusForbidden, "permission denied")
	_, err = client.Logical().Write("secret/data/top", map[string]any{"data": "not an object"})
	refused(t, err, http.StatusBadRequest, "")
	_, err = client.Logical().Write("nowhere/top", map[string]any{"a": "b"})
	refused(t, err, http.StatusNotFound, "")
}

func seal(t *testing.T, client *api.Client, keys []string) {
	must(t, client.Sys().Seal())
	status, err := client.Sys().SealStatus()
	must(t, err)
	equal(t, "sealed", status.Sealed, true)
	_, err = client.Logical().Read("secret/data/top")
	refused(t, err, http.StatusServiceUnavailable, "")
	for _, key := range keys[:2] {
		_, err = client.Sys().Unseal(key)
		must(t, err)
	}
	_, err = client.Logical().Read("secret/data/top")
	must(t, err)
}
