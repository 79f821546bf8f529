//! The commands, one file each.
//!
//! How to add one: write a file with its arguments and a `run`, and add a line to [`Command`] and to [`run`].

mod act;
mod approve;
mod audit;
mod auth;
mod bootstrap;
mod canary;
mod charter;
mod delegate;
#[cfg(feature = "server")]
mod demo;
mod deny;
mod init;
mod kv;
mod lease;
mod limit;
mod login;
mod manual;
mod operator;
mod person;
mod policy;
mod raw;
mod redeem;
mod rekey;
mod report;
mod request;
mod requests;
mod seal;
mod secrets;
#[cfg(feature = "server")]
mod server;
mod share;
mod status;
mod token;
mod unseal;
mod unwrap;
#[cfg(feature = "server")]
mod witness;

use std::process::ExitCode;

use clap::Subcommand;

pub(crate) use charter::{charter as charter_of_file, envelope as charter_envelope, in_force as charter_in_force};

use crate::connect::Global;
use crate::failure::Failure;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run a server
    #[cfg(feature = "server")]
    Server(server::Arguments),
    /// See the whole thing work, in a temporary folder
    #[cfg(feature = "server")]
    Demo(demo::Arguments),
    /// A witness: a small process, best in other hands, that signs for the logs of vaults
    #[cfg(feature = "server")]
    #[command(subcommand)]
    Witness(witness::Command),
    /// Make the vault and hand out its shares, once
    Init(init::Arguments),
    /// Give one share towards unsealing
    Unseal(unseal::Arguments),
    /// Hand out new shares by the next charter; the old ones stay in force until all are acknowledged
    Rekey(rekey::Arguments),
    /// Seal the vault: nothing is served until enough shares are given again
    Seal,
    /// Show whether the vault is sealed and how many shares are missing (exit code 2 when sealed)
    Status(status::Arguments),
    /// Log in and remember the token for the next commands
    Login(login::Arguments),
    /// Auth methods: how people and applications log in
    #[command(subcommand)]
    Auth(auth::Command),
    /// Bring a vault whose shares were handed out in clear under a charter, and into service
    #[command(subcommand)]
    Bootstrap(bootstrap::Command),
    /// Requests that stewards make together, once a vault is in service
    #[command(subcommand)]
    Act(act::Command),
    /// Ask for something that others may have to agree to, and wait for them if you like
    Request(request::Arguments),
    /// What waits for you, what you asked for, and what has ended
    Requests(requests::Arguments),
    /// Agree to somebody's request, after a look at it
    Approve(approve::Arguments),
    /// End somebody's request with a no
    Deny(deny::Arguments),
    /// Do what you asked for, once enough people agree
    Redeem(redeem::Arguments),
    /// Your vote in somebody else's hands, within bounds, for everybody to see
    #[command(subcommand)]
    Delegate(delegate::Command),
    /// Charters: who are the custodians, and which of them together may do what
    #[command(subcommand)]
    Charter(charter::Command),
    /// Secrets in key-value engines, version 1 and 2
    #[command(subcommand)]
    Kv(kv::Command),
    /// Tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Policies
    #[command(subcommand)]
    Policy(policy::Command),
    /// Mounted secrets engines
    #[command(subcommand)]
    Secrets(secrets::Command),
    /// Take out what a wrapping token wraps, once
    Unwrap,
    /// Leases: tokens by the path that made them
    #[command(subcommand)]
    Lease(lease::Command),
    /// Limits: beyond which values people are told, and beyond which acts are refused
    #[command(subcommand)]
    Limit(limit::Command),
    /// Canaries: secrets that nobody has a reason to read
    #[command(subcommand)]
    Canary(canary::Command),
    /// Devices that follow the audit log
    #[command(subcommand)]
    Audit(audit::Command),
    /// Reports: what one alone can do
    #[command(subcommand)]
    Report(report::Command),
    /// What custodians and operators do: new shares, root tokens, keys, snapshots
    #[command(subcommand)]
    Operator(operator::Command),
    /// People: their keys, and the cards that go into a charter
    #[command(subcommand)]
    Person(person::Command),
    /// A custodian's share: on paper and back, and proofs that it is at hand
    #[command(subcommand)]
    Share(share::Command),
    /// Read any path
    Read(raw::Path),
    /// Write any path: fields, or a JSON object on standard input
    Write(raw::Write),
    /// List any path
    List(raw::Path),
    /// Delete any path
    Delete(raw::Path),
    /// Write completions for a shell
    Completions(manual::Completions),
    /// Write the manual pages into a folder
    Man(manual::Pages),
}

/// Runs a command.
pub(crate) async fn run(command: Command, global: &Global) -> Result<ExitCode, Failure> {
    match command {
        #[cfg(feature = "server")]
        Command::Server(arguments) => server::run(arguments).await,
        #[cfg(feature = "server")]
        Command::Demo(arguments) => demo::run(arguments).await,
        #[cfg(feature = "server")]
        Command::Witness(command) => witness::run(command).await,
        Command::Init(arguments) => init::run(arguments, global).await,
        Command::Unseal(arguments) => unseal::run(arguments, global).await,
        Command::Rekey(arguments) => rekey::run(arguments, global).await,
        Command::Seal => seal::run(global).await,
        Command::Status(arguments) => return status::run(arguments, global).await,
        Command::Report(command) => return report::run(command, global).await,
        Command::Login(arguments) => login::run(arguments, global).await,
        Command::Kv(command) => kv::run(command, global).await,
        Command::Token(command) => token::run(command, global).await,
        Command::Policy(command) => policy::run(command, global).await,
        Command::Secrets(command) => secrets::run(command, global).await,
        Command::Request(arguments) => request::run(arguments, global).await,
        Command::Requests(arguments) => requests::run(arguments, global).await,
        Command::Approve(arguments) => approve::run(&arguments, global).await,
        Command::Deny(arguments) => deny::run(&arguments, global).await,
        Command::Delegate(command) => delegate::run(command, global).await,
        Command::Redeem(arguments) => redeem::run(&arguments, global).await,
        Command::Charter(command) => charter::run(command, global).await,
        Command::Bootstrap(command) => bootstrap::run(command, global).await,
        Command::Act(command) => act::run(command, global).await,
        Command::Auth(command) => auth::run(command, global).await,
        Command::Unwrap => unwrap::run(global).await,
        Command::Lease(command) => lease::run(command, global).await,
        Command::Limit(command) => limit::run(command, global).await,
        Command::Canary(command) => canary::run(command, global).await,
        Command::Audit(command) => audit::run(command, global).await,
        Command::Operator(command) => operator::run(command, global).await,
        Command::Person(command) => person::run(command, global),
        Command::Share(command) => share::run(command, global).await,
        Command::Read(path) => raw::read(path, global).await,
        Command::Write(path) => raw::write(path, global).await,
        Command::List(path) => raw::list(path, global).await,
        Command::Delete(path) => raw::delete(path, global).await,
        Command::Completions(arguments) => manual::completions(&arguments),
        Command::Man(arguments) => manual::pages(&arguments),
    }
    .map(|()| ExitCode::SUCCESS)
}
