//! `keyturn redeem`.

use clap::Args;

use crate::connect::Global;
use crate::failure::Failure;
use crate::waiting;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The request
    id: String,
    /// Wait until enough people agree; stopping leaves the request as it is
    #[arg(long)]
    wait: bool,
}

pub(crate) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    waiting::redeem(&global.caller().await?, &arguments.id, arguments.wait, global).await
}
