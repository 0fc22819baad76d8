//! The program: everything is in the library.

fn main() -> std::process::ExitCode {
    compacter::main_from_args()
}
