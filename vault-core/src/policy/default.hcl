# What every token may do unless it declines: look after itself and keep a cubbyhole.
# The identity of a token that has none resolves no template, so those rules then grant nothing.

path "auth/token/lookup-self" { capabilities = ["read", "update"] }
path "auth/token/renew-self"  { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }

# See one's own capabilities.
path "sys/capabilities-self" { capabilities = ["update"] }

# See oneself.
path "identity/entity/id/{{identity.entity.id}}"     { capabilities = ["read"] }
path "identity/entity/name/{{identity.entity.name}}" { capabilities = ["read"] }

# Wrap an answer for somebody else, and take one that is meant for oneself.
path "sys/wrapping/wrap"   { capabilities = ["update"] }
path "sys/wrapping/lookup" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }

# Look after the leases whose id one knows.
path "sys/leases/lookup" { capabilities = ["update"] }
path "sys/leases/renew"  { capabilities = ["update"] }
path "sys/renew"         { capabilities = ["update"] }

# Hash what one gives.
path "sys/tools/hash"   { capabilities = ["update"] }
path "sys/tools/hash/*" { capabilities = ["update"] }

# Find out of which kind a mount is, as command lines do before they read.
path "sys/internal/ui/mounts"   { capabilities = ["read"] }
path "sys/internal/ui/mounts/*" { capabilities = ["read"] }

# See the held requests that concern oneself, and say what one thinks of them.
path "sys/requests"   { capabilities = ["read", "list"] }
path "sys/requests/*" { capabilities = ["read", "update"] }

# See whose vote is in whose hands, hand on one's own, and take it back.
path "sys/delegations"   { capabilities = ["read", "list", "update"] }
path "sys/delegations/*" { capabilities = ["delete"] }

# A place of one's own.
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }

# Read the description of the API, as far as one can reach.
path "sys/internal/specs/openapi" { capabilities = ["read", "update"] }
