//! A request cannot be taken for an identified one: only auth methods make `Identified`.
use vault_core::flow::Identified;
use vault_core::request::Request;

fn skip(request: Request, identity: vault_core::auth::Identity) -> Identified {
    Identified::new(request, identity)
}

fn main() {}
