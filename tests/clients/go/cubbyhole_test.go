package clients

import (
	"testing"

	"github.com/openbao/openbao/api/v2"
)

// The cubbyhole: each token's own secrets.
func TestCubbyhole(t *testing.T) {
	client := root(t)

	t.Run("each token has a cubbyhole of its own", func(t *testing.T) {
		_, err := client.Logical().Write("cubbyhole/mine", map[string]any{"a": "b"})
		must(t, err)
		mine, err := client.Logical().Read("cubbyhole/mine")
		must(t, err)
		equal(t, "cubbyhole", mine.Data, map[string]any{"a": "b"})
		other := newClient(t, create(t, client, api.TokenCreateRequest{Policies: []string{"default"}}).ClientToken)
		foreign, err := other.Logical().Read("cubbyhole/mine")
		must(t, err)
		equal(t, "the cubbyhole of another", foreign, (*api.Secret)(nil))
		_, err = client.Logical().Delete("cubbyhole/mine")
		must(t, err)
		gone, err := client.Logical().Read("cubbyhole/mine")
		must(t, err)
		equal(t, "what was deleted", gone, (*api.Secret)(nil))
	})
}
