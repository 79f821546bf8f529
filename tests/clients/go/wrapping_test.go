package clients

import (
	"net/http"
	"testing"
)

// Response wrapping, leases and renewal, which the client's own watcher does.
func TestWrapping(t *testing.T) {
	client := root(t)

	t.Run("a reply is wrapped and given once", func(t *testing.T) {
		wrapping := root(t)
		wrapping.SetWrappingLookupFunc(func(string, string) string { return "2m" })
		wrapped, err := wrapping.Logical().Write("sys/wrapping/wrap", map[string]any{"a": "b"})
		must(t, err)
		equal(t, "creation path", wrapped.WrapInfo.CreationPath, "sys/wrapping/wrap")
		stranger := newClient(t, "")
		given, err := stranger.Logical().Unwrap(wrapped.WrapInfo.Token)
		must(t, err)
		equal(t, "what was wrapped", given.Data["a"], any("b"))
		_, err = client.Logical().Unwrap(wrapped.WrapInfo.Token)
		refused(t, err, http.StatusBadRequest, "wrapping token is not valid")
	})
}
