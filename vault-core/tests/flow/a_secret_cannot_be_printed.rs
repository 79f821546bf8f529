//! Secret types have no `Debug`, `Display`, `Clone` or `Serialize`.
use vault_core::secret::{SecretBytes, SecretKey, SecretText};

fn print(bytes: SecretBytes, text: SecretText, key: SecretKey) {
    println!("{bytes:?}");
    println!("{text}");
    let _ = key.clone();
    let _ = serde_json::to_string(&text);
}

fn main() {}
