//! `keyturn unwrap`.

use serde_json::json;

use crate::connect::Global;
use crate::failure::Failure;
use crate::{input, output};

/// Takes out what a wrapping token wraps. The wrapping token is the evidence, so that no login is needed.
pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    let token = input::secret("wrapping token", None)?;
    let client = global.client(Some(token)).await?;
    output::reply(global.format, &client.write("sys/wrapping/unwrap", &json!({})).await?, "It wrapped nothing.")
}
