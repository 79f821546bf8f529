//! Auth methods that people enable, one file each.
//!
//! How to add one: write a file with a type that implements [`Engine`], whose login routes are [`crate::engines::Route::open`]
//! and end in [`super::login::grant`], and add it to [`METHODS`]. Enabling, help and tests walk the list.

mod approle;
pub mod cert;
mod jwt;
mod kubernetes;
mod name;
mod roles;
mod userpass;

use crate::engines::Engine;

/// The auth methods by type name.
pub static METHODS: &[&dyn Engine] =
    &[&approle::AppRole, &cert::Cert, &jwt::JWT, &jwt::OIDC, &kubernetes::Kubernetes, &userpass::Userpass];
