//! The command `keyturn`: the server, the demo, and the verbs of people.
#![forbid(unsafe_code)]

mod commands;
mod connect;
mod custodian;
mod decision;
mod failure;
mod fields;
mod handout;
mod home_file;
mod input;
mod log_watch;
mod memory;
mod myself;
mod output;
mod passphrase;
mod untrusted;
mod waiting;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// Wipes freed memory, so that no copy of a secret outlives its use; see docs/decisions/0009.
#[global_allocator]
static ALLOCATOR: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

/// Longest wait, after all is done, for threads that wait for something outside: a name server, or a reader of the standard
/// output that an audit device writes to.
const END_MAX: Duration = Duration::from_secs(1);

/// Keyturn: a secrets vault that no one person can open.
#[derive(Parser)]
#[command(name = "keyturn", version, after_help = failure::EXIT_CODES, arg_required_else_help = true)]
struct Arguments {
    #[command(flatten)]
    global: connect::Global,
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::Other(error.into()).report(),
    };
    let code = match runtime.block_on(commands::run(arguments.command, &arguments.global)) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    };
    runtime.shutdown_timeout(END_MAX);
    code
}
