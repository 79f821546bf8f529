package clients

import (
	"net/http"
	"testing"
)

// What is refused, and how.
func TestErrors(t *testing.T) {
	client := root(t)
	mount(t, "errors-kv", "2")

	t.Run("strangers are refused", func(t *testing.T) {
		_, err := newClient(t, "").Logical().Read("errors-kv/data/a")
		refused(t, err, http.StatusForbidden, "")
		_, err = newClient(t, "hvs.not-a-token").Logical().Read("errors-kv/data/a")
		refused(t, err, http.StatusForbidden, "permission denied")
	})

	t.Run("what is not there is missing", func(t *testing.T) {
		_, err := client.Logical().Write("nowhere/top", map[string]any{"a": "b"})
		refused(t, err, http.StatusNotFound, "")
	})

	t.Run("a secret that is no object is refused", func(t *testing.T) {
		_, err := client.Logical().Write("errors-kv/data/a", map[string]any{"data": "not an object"})
		refused(t, err, http.StatusBadRequest, "")
	})

	t.Run("an answer has the id of its request", func(t *testing.T) {
		secret, err := client.Logical().Read("auth/token/lookup-self")
		must(t, err)
		if secret.RequestID == "" {
			t.Fatal("the answer has no request id")
		}
	})
}
