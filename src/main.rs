use std::process::ExitCode;

fn main() -> ExitCode {
    slotscope::cli::main()
}
