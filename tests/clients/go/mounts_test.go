package clients

import (
	"net/http"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// Mounts of secrets engines.
func TestMounts(t *testing.T) {
	client := root(t)
	system := client.Sys()

	t.Run("an engine is enabled, tuned and disabled", func(t *testing.T) {
		input := &api.MountInput{Type: "kv", Description: "of team a", Options: map[string]string{"version": "2"}}
		must(t, system.Mount("team/a", input))
		listed, err := system.ListMounts()
		must(t, err)
		equal(t, "options", listed["team/a/"].Options["version"], "2")
		equal(t, "description", listed["team/a/"].Description, "of team a")
		must(t, system.TuneMount("team/a", api.MountConfigInput{DefaultLeaseTTL: "1h", MaxLeaseTTL: "2h"}))
		tuned, err := system.MountConfig("team/a")
		must(t, err)
		equal(t, "tuned", []int{tuned.DefaultLeaseTTL, tuned.MaxLeaseTTL}, []int{3600, 7200})
		must(t, system.Unmount("team/a"))
		listed, err = system.ListMounts()
		must(t, err)
		if _, there := listed["team/a/"]; there {
			t.Fatal("the mount is still there")
		}
	})

	t.Run("what is disabled is gone", func(t *testing.T) {
		mount(t, "gone", "1")
		_, err := client.Logical().Write("gone/a", map[string]any{"b": "c"})
		must(t, err)
		must(t, system.Unmount("gone"))
		mount(t, "gone", "1")
		found, err := client.Logical().Read("gone/a")
		must(t, err)
		equal(t, "what was there", found, (*api.Secret)(nil))
	})

	t.Run("paths in use and unknown engines are refused", func(t *testing.T) {
		mount(t, "taken", "1")
		for _, path := range []string{"taken", "taken/below", "sys"} {
			refused(t, system.Mount(path, &api.MountInput{Type: "kv"}), http.StatusBadRequest, "")
		}
		refused(t, system.Mount("other", &api.MountInput{Type: "no-such-engine"}), http.StatusBadRequest, "")
	})

	t.Run("the token method is listed", func(t *testing.T) {
		listed, err := system.ListAuth()
		must(t, err)
		equal(t, "type", listed["token/"].Type, "token")
		equal(t, "tokens issued", listed["token/"].Config.TokenType, "default-service")
	})
}
