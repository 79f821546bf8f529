//! What gives power, and is therefore for stewards together once a vault is in service.

use crate::engines::Access;
use crate::request::Operation;

/// Paths of the system whose changes give power: who may do what, who gets in, what is written down, and what the vault is.
const SYSTEM: [&str; 15] = [
    "sys/audit/",
    "sys/auth/",
    "sys/canaries/",
    "sys/config/",
    "sys/internal/ui/mounts/",
    "sys/limits/",
    "sys/mounts/",
    "sys/plugins/",
    "sys/policies/",
    "sys/policy/",
    "sys/quotas/",
    "sys/raw/",
    "sys/remount",
    "sys/rotate/config",
    "sys/storage/raft/snapshot",
];

/// Where a request goes: the kind of the mount and the path below it.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) kind: &'a str,
    pub(crate) below: &'a str,
}

/// Tells whether a request changes what somebody may do, so that nobody makes it alone.
pub(crate) fn gives_power(operation: Operation, path: &str, place: Option<Place<'_>>, access: Access) -> bool {
    if matches!(operation, Operation::Read | Operation::List) || access == Access::Open {
        return false;
    }
    if let Some(below) = path.strip_prefix("auth/token/") {
        return below.starts_with("roles/");
    }
    if path.starts_with("auth/") {
        return !place.is_some_and(is_own_login);
    }
    if let Some(below) = path.strip_prefix("identity/") {
        return !below.starts_with("lookup/");
    }
    SYSTEM.iter().any(|start| path.starts_with(start) || Some(path) == start.strip_suffix('/'))
}

/// Lists patterns that paths which give power are told apart by from those that give none, besides the routes of mounts.
pub(crate) fn places_of_power() -> impl Iterator<Item = String> {
    let system = SYSTEM.iter().flat_map(|start| [format!("{start}*"), start.trim_end_matches('/').to_owned()]);
    system.chain(["auth/*", "auth/token/*", "auth/token/roles/*", "identity/*", "identity/lookup/*"].map(str::to_owned))
}

/// Tells what the machines of people and applications do with logins that are theirs already, by roles and users that
/// stewards have made.
fn is_own_login(place: Place<'_>) -> bool {
    let segments: Vec<&str> = place.below.split('/').collect();
    match (place.kind, segments.as_slice()) {
        ("approle", ["role", _, word, ..]) => matches!(*word, "secret-id" | "secret-id-accessor" | "custom-secret-id"),
        ("userpass", ["users", _, "password"]) => true,
        _ => false,
    }
}

/// Gives the user whose password a request sets: one's own is one's own affair, and whoever sets another's can be them.
pub(crate) fn sets_password_of(place: Place<'_>) -> Option<&str> {
    match (place.kind, place.below.split('/').collect::<Vec<_>>().as_slice()) {
        ("userpass", ["users", user, "password"]) => Some(user),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powerful(operation: Operation, path: &str) -> bool {
        let place = path.strip_prefix("auth/approle/").map(|below| Place { kind: "approle", below });
        let place = place.or_else(|| path.strip_prefix("auth/people/").map(|below| Place { kind: "userpass", below }));
        gives_power(operation, path, place, Access::Policy)
    }

    #[test]
    fn what_gives_power_is_told_from_what_uses_it() {
        for path in [
            "sys/policies/acl/app",
            "sys/policy/app",
            "sys/auth/userpass",
            "sys/auth/userpass/tune",
            "sys/mounts/secret",
            "sys/remount",
            "sys/audit/file",
            "sys/quotas/rate-limit/all",
            "sys/limits/reads",
            "sys/canaries/secret/data/trap",
            "sys/storage/raft/snapshot",
            "sys/storage/raft/snapshot-force",
            "auth/people/users/eve",
            "auth/people/users/eve/policies",
            "auth/people/users/password",
            "auth/people/users/secret-id",
            "auth/approle/role/app",
            "auth/approle/role/secret-id",
            "auth/approle/role/app/secret-id-num-uses",
            "auth/jwt/config",
            "auth/anything/users/x/password",
            "auth/token/roles/admin",
            "identity/entity",
            "identity/group/name/admins",
        ] {
            for operation in [Operation::Write, Operation::Patch, Operation::Delete] {
                assert!(powerful(operation, path), "{path}");
            }
            for operation in [Operation::Read, Operation::List] {
                assert!(!powerful(operation, path), "{path}");
            }
        }
        for path in [
            "secret/data/app/db",
            "kv/a",
            "cubbyhole/x",
            "transit/keys/a",
            "sys/seal",
            "sys/rotate",
            "sys/wrapping/unwrap",
            "sys/leases/revoke",
            "sys/capabilities-self",
            "sys/mountsome",
            "auth/token/create",
            "auth/token/renew-self",
            "auth/approle/role/app/secret-id",
            "auth/approle/role/app/secret-id/destroy",
            "auth/people/users/ann/password",
            "identity/lookup/entity",
        ] {
            assert!(!powerful(Operation::Write, path), "{path}");
        }
        assert!(!gives_power(Operation::Write, "auth/people/login/ann", None, Access::Open));
    }
}
