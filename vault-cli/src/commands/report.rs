//! `keyturn report`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use vault_api::report::{ActOfPower, Agreement, Alone, Line, LoneWolf};
use vault_api::{Call, Operation};

use crate::connect::{Format, Global};
use crate::failure::{EXIT_VIOLATIONS, Failure};
use crate::output;

/// The policies that every vault has, for what tokens do with themselves.
const BUILT_IN_POLICIES: [&str; 2] = ["default", "response-wrapping"];

/// Most names in one line for people.
const NAMES_SHOWN_MAX: usize = 8;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// What one alone can do, and what only one can still do (exit code 3 when a protected path is among it)
    LoneWolf(LoneWolfArguments),
}

#[derive(Args)]
pub(crate) struct LoneWolfArguments {
    /// A mount or a pattern that must not be anybody's alone, besides those with a control group; may be given several times
    #[arg(long = "path", value_name = "PATTERN")]
    paths: Vec<String>,
}

pub(crate) async fn run(command: Command, global: &Global) -> Result<ExitCode, Failure> {
    let Command::LoneWolf(arguments) = command;
    let client = global.caller().await?;
    let call = Call::new(Operation::Read, "sys/reports/lone-wolf");
    let call = arguments.paths.iter().fold(call, |call, path| call.parameter("path", path));
    let reply = client.call(call).await?;
    let report: LoneWolf = reply.data()?;
    if global.format == Format::Json {
        output::reply(global.format, &reply, "")?;
    } else {
        tell(&report)?;
    }
    Ok(if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_VIOLATIONS) })
}

fn tell(report: &LoneWolf) -> Result<(), Failure> {
    for left_out in &report.left_out {
        eprintln!("warning: {left_out}");
    }
    let service = if report.is_in_service { "in service" } else { "in bootstrap, without a charter" };
    output::line(&format!("The vault is {service}."))?;
    output::line(&format!(
        "\nProtected: {} paths; of these somebody can read or change alone",
        report.protected.len()
    ))?;
    tell_alone(&report.violations)?;
    output::line("\nAlone: all paths of policies that somebody can read or change with nobody else's agreement")?;
    let (own, others): (Vec<Alone>, Vec<Alone>) = report.alone.iter().cloned().partition(is_built_in);
    tell_alone(&others)?;
    if !own.is_empty() {
        let text = format!(
            "({} more that policies of the vault itself give every token; --format json shows them)",
            own.len()
        );
        output::line(&format!("  {text}"))?;
    }
    tell_power(report)?;
    output::line("\nOnly one left")?;
    let left = &report.only_one_left;
    if left.agreements.is_empty() && left.paths.is_empty() {
        output::line("  nothing")?;
    }
    left.agreements.iter().try_for_each(tell_agreement)?;
    left.paths.iter().try_for_each(|only| {
        let can = only.capabilities.join(", ");
        output::line(&format!("  {}: {can} only by {}", only.pattern, only.who))
    })
}

fn is_built_in(alone: &Alone) -> bool {
    alone.lines.iter().all(|line| line.granted_by.iter().all(|policy| BUILT_IN_POLICIES.contains(&policy.as_str())))
}

fn tell_alone(found: &[Alone]) -> Result<(), Failure> {
    if found.is_empty() {
        return output::line("  nothing");
    }
    found.iter().try_for_each(|alone| {
        output::line(&format!("  {}", alone.pattern))?;
        alone.lines.iter().try_for_each(|line| output::line(&format!("    {}", describe(line))))
    })
}

/// Writes `read, list: ann and 3 more (by staff; as at secret/data/x)`.
fn describe(line: &Line) -> String {
    let shown: Vec<String> = line.who.iter().take(NAMES_SHOWN_MAX).map(ToString::to_string).collect();
    let more = match line.who_count.saturating_sub(shown.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let (can, policies) = (line.capabilities.join(", "), line.granted_by.join(", "));
    format!("{can}: {}{more} (by {policies}; as at {})", shown.join(", "), line.example)
}

fn tell_power(report: &LoneWolf) -> Result<(), Failure> {
    output::line("\nActs of power that one can do alone")?;
    let is_found = |act: &&ActOfPower| !act.by_token.is_empty() || !act.by_signature.is_empty();
    let found: Vec<&ActOfPower> = report.acts_of_power.iter().filter(is_found).collect();
    if found.is_empty() && report.root_tokens.is_empty() {
        return output::line("  nothing");
    }
    for root in &report.root_tokens {
        output::line(&format!("  everything: {root}, a root token"))?;
    }
    for act in found {
        output::line(&format!("  {}", act.class.replace('_', " ")))?;
        act.by_token.iter().try_for_each(|line| output::line(&format!("    {}", describe(line))))?;
        for signer in &act.by_signature {
            let text = format!("    by signature or share: {} ({} = {})", signer.person, signer.quorum, signer.rule);
            output::line(&text)?;
        }
    }
    Ok(())
}

fn tell_agreement(agreement: &Agreement) -> Result<(), Failure> {
    let Agreement { of, needed, can_be_met, people } = agreement;
    output::line(&if *can_be_met {
        format!("  {of} ({needed}) falls with each of {}", people.join(", "))
    } else {
        format!("  {of} ({needed}) can be met by nobody")
    })
}
