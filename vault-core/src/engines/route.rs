//! Routes: which endpoints an engine answers, who may call them, and what carries each out. Dispatch, policy, the API
//! description and the conformance tests walk the same lists.

use rand_core::CryptoRng;

use super::{Call, Step};
use crate::refusal::{Class, Refusal};
use crate::request::Operation;
use crate::view::{Interrupt, View};

/// Carries out one call. It is run again from the start whenever something had to be fetched, so it must have no
/// effect but its answer, and what it draws from the generator, another value each time, must not decide what it reads.
pub type Handler = fn(&Call<'_>, &mut View, &mut dyn CryptoRng) -> Result<Step, Interrupt>;

/// What a caller of a route needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// A token whose policies allow the operation.
    Policy,
    /// The same, and the capability `sudo` besides.
    Sudo,
    /// Nothing: a login, or a call whose evidence lies in its body. A token is not looked at and none is spent.
    Open,
}

/// One endpoint, or a family of endpoints that differ in names.
pub struct Route {
    /// The path below the mount: `role/{name}/secret-id`. `{name}` stands for one segment, `{name*}` for any
    /// rest, which may be empty, or for at least one segment before fixed ones. A trailing slash of the request makes no
    /// difference here; but what policies decide about is carried out with one only if it is a LIST or the path ends with a rest.
    pub path: &'static str,
    /// What a caller needs.
    pub access: Access,
    /// The operations it supports.
    pub methods: &'static [(Operation, Handler)],
    /// What it does, in a few words, for the API description; empty for a route that is left out of it.
    pub summary: &'static str,
}

impl Route {
    /// Describes a route that policies alone decide about.
    pub const fn new(path: &'static str, methods: &'static [(Operation, Handler)], summary: &'static str) -> Self {
        Self { path, access: Access::Policy, methods, summary }
    }

    /// Describes a route that needs `sudo`.
    pub const fn sudo(path: &'static str, methods: &'static [(Operation, Handler)], summary: &'static str) -> Self {
        Self { path, access: Access::Sudo, methods, summary }
    }

    /// Describes a route that needs no token.
    pub const fn open(path: &'static str, methods: &'static [(Operation, Handler)], summary: &'static str) -> Self {
        Self { path, access: Access::Open, methods, summary }
    }

    /// Finds what carries out an operation.
    pub fn handler(&self, operation: Operation) -> Option<Handler> {
        self.methods.iter().find(|(own, _)| *own == operation).map(|(_, handler)| *handler)
    }

    fn matches(&self, path: &str) -> bool {
        fit(self.path, path, |_, _| ())
    }
}

/// Lays a pattern beside a path, segment by segment, and notes what stands for its names. Tells whether they fit.
fn fit<'a>(pattern: &'static str, path: &'a str, mut note: impl FnMut(&'static str, &'a str)) -> bool {
    let mut left = path.strip_suffix('/').unwrap_or(path);
    let mut wanted = pattern;
    while !wanted.is_empty() {
        let (segment, after) = wanted.split_once('/').unwrap_or((wanted, ""));
        let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        if let Some(name) = name.and_then(|name| name.strip_suffix('*')) {
            let rest = if after.is_empty() { Some(left) } else { before(left, after) };
            rest.inspect(|rest| note(name, rest));
            return rest.is_some();
        }
        let (first, rest) = left.split_once('/').unwrap_or((left, ""));
        match name {
            Some(name) if !first.is_empty() => note(name, first),
            None if segment == first => {}
            _ => return false,
        }
        (left, wanted) = (rest, after);
    }
    left.is_empty()
}

/// Gives what stands in a path before the segments `end`, if it ends so and anything does.
fn before<'a>(path: &'a str, end: &str) -> Option<&'a str> {
    path.strip_suffix(end)?.strip_suffix('/').filter(|rest| !rest.is_empty())
}

/// Finds what stands for `{name}` of a pattern; empty if the pattern has no such name.
pub(super) fn captured<'a>(pattern: &'static str, path: &'a str, name: &str) -> &'a str {
    let mut found = "";
    fit(pattern, path, |own, text| {
        if own == name {
            found = text;
        }
    });
    found
}

/// Finds the first route that a path below the mount fits.
pub(super) fn find(routes: &'static [Route], path: &str) -> Option<&'static Route> {
    routes.iter().find(|route| route.matches(path))
}

/// Carries out a call by its route.
///
/// # Errors
/// Stops as the handler does, and refuses paths and operations that the route does not know.
pub(super) fn dispatch(call: &Call<'_>, view: &mut View, rng: &mut dyn CryptoRng) -> Result<Step, Interrupt> {
    let route = call.route.ok_or_else(|| Refusal::new(Class::Missing, "unsupported path"))?;
    let handler = route.handler(call.request.operation).ok_or_else(Refusal::unsupported)?;
    // Policies tell a path from the one with a slash: what they say of an entry is not to be gone around by its other spelling.
    let is_told_apart = route.access != Access::Open && !route.path.ends_with("*}");
    if is_told_apart && call.request.operation != Operation::List && call.path.ends_with('/') {
        return Err(Refusal::new(Class::Missing, "unsupported path: it ends with a slash").into());
    }
    handler(call, view, rng)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    static ROUTES: [Route; 6] = [
        Route::new("mounts/{path*}/tune", &[], ""),
        Route::new("mounts/{path*}", &[], ""),
        Route::new("role", &[], ""),
        Route::new("role/{name}/secret-id", &[], ""),
        Route::new("role/{name}", &[], ""),
        Route::new("data/{path*}", &[], ""),
    ];

    fn found(path: &str) -> Option<&'static str> {
        find(&ROUTES, path).map(|route| route.path)
    }

    #[test]
    fn paths_find_their_route_and_give_their_names() {
        assert_eq!(found("role/"), Some("role"));
        assert_eq!(found("role/a"), Some("role/{name}"));
        assert_eq!(found("role/a/secret-id/"), Some("role/{name}/secret-id"));
        assert_eq!(found("mounts/a/b/tune"), Some("mounts/{path*}/tune"));
        assert_eq!(found("mounts/tune"), Some("mounts/{path*}"));
        assert_eq!(captured("mounts/{path*}/tune", "mounts/a/b/tune", "path"), "a/b");
        assert_eq!(found("data"), Some("data/{path*}"));
        assert_eq!(found("data/a/b/"), Some("data/{path*}"));
        for unknown in ["", "rol", "roles", "role/a/b", "role/a/secret-id/b", "datax"] {
            assert_eq!(found(unknown), None, "{unknown}");
        }
        assert_eq!(captured("role/{name}/secret-id", "role/a/secret-id", "name"), "a");
        assert_eq!(captured("data/{path*}", "data/a/b/", "path"), "a/b");
        assert_eq!(captured("data/{path*}", "data", "path"), "");
        assert_eq!(captured("role/{name}", "role/a", "other"), "");
    }

    proptest! {
        #[test]
        fn no_path_panics_and_a_capture_is_one_segment(path in "[a-c/]{0,12}|role/[a-z/]{0,8}") {
            if found(&path) == Some("role/{name}") {
                let name = captured("role/{name}", &path, "name");
                prop_assert!(!name.contains('/'));
                prop_assert_eq!(path.trim_end_matches('/'), format!("role/{name}"));
            }
        }
    }
}
