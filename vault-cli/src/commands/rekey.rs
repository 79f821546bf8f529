//! `keyturn rekey`.

use std::path::PathBuf;

use clap::Args;

use crate::connect::Global;
use crate::failure::Failure;
use crate::handout;

#[derive(Args)]
pub(crate) struct Arguments {
    /// The next charter in its envelope, signed by the quorum of the one in force
    charter: PathBuf,
    #[command(flatten)]
    handout: handout::HandoutArguments,
}

pub(crate) async fn run(arguments: Arguments, global: &Global) -> Result<(), Failure> {
    let request = arguments.handout.request(&arguments.charter)?;
    let made = global.stranger().await?.rekey_by_charter(&request).await?;
    let next = "The old shares stay in force until every custodian has shown their new one.\n\
        Next, each of them: keyturn share acknowledge --identity FILE";
    arguments.handout.write(&made, next, global)
}
