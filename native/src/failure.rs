//! Which exit code an error gets: 1 for what failed, 2 for what was asked for wrongly.

use std::fmt;

/// A mistake in the flags that clap cannot see.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// A usage error as an [`anyhow::Error`].
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    Usage(message.into()).into()
}

/// The exit code of an error.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    let setting = error
        .downcast_ref::<compacter_core::Error>()
        .is_some_and(|error| matches!(error, compacter_core::Error::Setting(_)));
    if setting || error.is::<Usage>() { 2 } else { 1 }
}

/// Whether the reader of our output went away, which is no failure of ours.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_usage_and_files_are_failures() {
        let setting = compacter_core::Error::Setting("n".into());
        assert_eq!(exit_code(&setting.into()), 2);
        assert_eq!(exit_code(&usage("n")), 2);
        assert_eq!(exit_code(&compacter_core::Error::file("f", "m").into()), 1);
    }
}
