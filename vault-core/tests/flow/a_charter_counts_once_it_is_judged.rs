//! A charter cannot pass for one that enough people have signed.
use vault_core::charter::Charter;
use vault_core::custody::SignedCharter;
use vault_core::envelope::Envelope;

fn make(charter: Charter, envelope: Envelope) -> SignedCharter {
    SignedCharter { charter, envelope }
}

fn main() {}
