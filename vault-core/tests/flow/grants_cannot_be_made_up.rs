//! What people have agreed to comes out of the gate's check alone, and what is made again out of what was kept.
use vault_core::approval::{Grant, HeldRequest, Redemption};

fn grant(held: HeldRequest) -> Grant {
    Grant { held, spend: Vec::new(), expects: Vec::new() }
}

fn redemption(request: String) -> Redemption {
    Redemption { request, in_the_name_of: None }
}

fn main() {}
