//! `keyturn approve`.

use clap::Args;
use serde_json::json;
use vault_core::approval::APPROVAL_PAYLOAD_TYPE;

use crate::connect::{Format, Global};
use crate::decision::{Deciding, standing};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    deciding: Deciding,
}

pub(crate) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let (deciding, client) = (&arguments.deciding, global.caller().await?);
    let question = "Do you agree to this?";
    let (_, said) = deciding.look_and_sign(&client, APPROVAL_PAYLOAD_TYPE, question, global).await?;
    let answer = client.approve_request(&deciding.id, &said).await?;
    if global.format == Format::Json {
        return output::line(&json!({ "approved": answer.approved }).to_string());
    }
    if answer.approved {
        return output::line("You agreed, and so enough people have.");
    }
    output::line("You agreed. Others must agree as well:")?;
    standing(&answer.standing).iter().try_for_each(|text| output::line(text))
}
