//! `keyturn deny`.

use clap::Args;
use vault_api::requests::Said;
use vault_core::approval::DENIAL_PAYLOAD_TYPE;

use crate::connect::Global;
use crate::decision::Deciding;
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    deciding: Deciding,
}

pub(crate) async fn run(arguments: &Arguments, global: &Global) -> Result<(), Failure> {
    let (deciding, client) = (&arguments.deciding, global.caller().await?);
    let reason = global.reason.clone();
    let reason = reason.ok_or_else(|| Failure::usage("say why, for the one who asked: --reason TEXT"))?;
    let question = "Do you deny this?";
    let (_, said) = deciding.look_and_sign(&client, DENIAL_PAYLOAD_TYPE, question, global).await?;
    let said = Said { reason: Some(reason), ..said };
    let answer = client.say_of_request(&deciding.id, "deny", &said).await?;
    output::reply(global.format, &answer, "You denied it; the request has ended.")
}
