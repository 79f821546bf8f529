package clients

import (
	"net/http"
	"strings"
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// Init, unseal, seal and health.
func TestSys(t *testing.T) {
	client := root(t)
	system := client.Sys()

	t.Run("init hands out shares and a root token", func(t *testing.T) {
		equal(t, "initialised", shared.initialisedBefore, false)
		equal(t, "initialised by health", shared.healthBefore.Initialized, false)
		equal(t, "shares", len(shared.answer.KeysB64), 3)
		_, err := system.Init(&api.InitRequest{SecretShares: 1, SecretThreshold: 1})
		refused(t, err, http.StatusBadRequest, "")
	})

	t.Run("unsealing shows its progress", func(t *testing.T) {
		equal(t, "sealed", shared.sealed.Sealed, true)
		equal(t, "quorum", []int{shared.sealed.T, shared.sealed.N}, []int{2, 3})
		equal(t, "progress", shared.unsealing[0].Progress, 1)
		equal(t, "sealed", shared.unsealing[1].Sealed, false)
	})

	t.Run("the health of an open vault", func(t *testing.T) {
		health, err := system.Health()
		must(t, err)
		seen := []bool{health.Initialized, health.Sealed, health.Standby}
		equal(t, "health", seen, []bool{true, false, false})
		if health.ClusterID == "" || health.Version == "" {
			t.Fatalf("health tells neither cluster nor version: %+v", health)
		}
		_, err = system.Leader()
		must(t, err)
	})

	t.Run("a sealed vault serves nothing until enough shares come", func(t *testing.T) {
		must(t, system.Seal())
		status, err := system.SealStatus()
		must(t, err)
		equal(t, "sealed", status.Sealed, true)
		_, err = system.ListMounts()
		refused(t, err, http.StatusServiceUnavailable, "")
		keys := shared.answer.KeysB64
		status, err = system.Unseal(keys[0])
		must(t, err)
		equal(t, "progress", status.Progress, 1)
		status, err = system.ResetUnsealProcess()
		must(t, err)
		equal(t, "progress after a reset", status.Progress, 0)
		_, err = system.Unseal(strings.Repeat("00", 33))
		refused(t, err, http.StatusBadRequest, "")
		for _, key := range []string{keys[0], keys[2]} {
			_, err = system.Unseal(key)
			must(t, err)
		}
		_, err = system.ListMounts()
		must(t, err)
	})
}
