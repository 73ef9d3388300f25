//! L6: the command line. One file per subcommand.

pub mod slot;
