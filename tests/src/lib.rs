//! What the whole-system tests share: real servers, a small HTTPS client of their own, and a reader of source text.
//!
//! The client is deliberately not the one of `vault-api`: a test that spoke through the product's own client would
//! not notice a mistake that both sides share.
#![forbid(unsafe_code)]

pub mod binary;
pub mod clients;
pub mod collector;
pub mod conversation;
pub mod debian;
pub mod https;
pub mod outside;
pub mod server;
pub mod source;
pub mod terminal;
pub mod tree;
pub mod vault;
pub mod webhook;
pub mod witness;
