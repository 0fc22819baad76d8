//! The program `compacter` again, so that the tests of this crate have its binary.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    compacter::main_from_args()
}
