//! A request cannot be taken for an identified one: only auth methods make `Identified`.
use vault_core::flow::Identified;
use vault_core::request::Request;

fn skip(request: Request, sender: vault_core::auth::Sender) -> Identified {
    Identified::new(request, sender)
}

fn main() {}
