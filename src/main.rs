//! The `ntmc` command.

fn main() -> std::process::ExitCode {
    ntmc::cli::main()
}
