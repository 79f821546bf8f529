//! Wire types of the Vault HTTP API, and the client that the command line, the tests and Rust users share.
//!
//! ```no_run
//! # async fn example() -> Result<(), vault_api::ApiError> {
//! use vault_api::{Address, Client, SecretText};
//!
//! let client = Client::builder(Address::parse("https://vault.example.org:8200")?)
//!     .token(SecretText::new("hvs.example".to_owned()))
//!     .build()?;
//! let names = client.list("secret/metadata/app").await?;
//! println!("{:?}", names.data::<vault_api::types::Keys>()?.keys);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod address;
pub mod audit_log;
pub mod client;
pub mod custody;
pub mod error;
pub mod reply;
pub mod report;
pub mod requests;
pub mod secret;
pub mod tls;
mod transfer;
pub mod types;

pub use address::Address;
pub use client::{Builder, Call, Client, Operation};
pub use error::ApiError;
pub use reply::Reply;
pub use secret::SecretText;
