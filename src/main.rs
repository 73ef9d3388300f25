use std::process::ExitCode;

/// A third of a run with data is small pieces of memory taken and given back.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    slotscope::cli::main()
}
