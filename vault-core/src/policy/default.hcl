# What every token may do unless it declines: look after itself and keep a cubbyhole.

path "auth/token/lookup-self" { capabilities = ["read", "update"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }

# See one's own capabilities.
path "sys/capabilities-self" { capabilities = ["update"] }

# Find out of which kind a mount is, as command lines do before they read.
path "sys/internal/ui/mounts"   { capabilities = ["read"] }
path "sys/internal/ui/mounts/*" { capabilities = ["read"] }

# A place of one's own.
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }
