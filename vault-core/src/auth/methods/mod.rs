//! Auth methods that people enable, one file each.
//!
//! How to add one: write a file with a type that implements [`Engine`], whose login routes are [`crate::engines::Route::open`]
//! and end in [`super::login::grant`], and add it to [`METHODS`]. Enabling, help and tests walk the list.

pub mod cert;

use crate::engines::Engine;

/// The auth methods by type name.
pub static METHODS: &[&dyn Engine] = &[&cert::Cert];
