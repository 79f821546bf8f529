//! `keyturn seal`.

use crate::connect::Global;
use crate::failure::Failure;
use crate::output;

pub(crate) async fn run(global: &Global) -> Result<(), Failure> {
    global.caller().await?.seal().await?;
    output::line("The vault is sealed; nothing is served until enough custodians have run keyturn unseal.")
}
