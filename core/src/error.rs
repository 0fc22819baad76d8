//! The one error type of the crate: every message names the file, tensor or line and what was expected.

/// What can go wrong, in words a user can act on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A whole file is unusable.
    #[error("{file}: {message}")]
    File {
        /// Which file, as the caller named it.
        file: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// One line of a file is unusable.
    #[error("{file}:{line}: {message}")]
    Line {
        /// Which file, as the caller named it.
        file: String,
        /// Line number, counted from 1.
        line: usize,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A tensor is missing, unexpected or of another shape.
    #[error("{file}: tensor `{tensor}`: {message}")]
    Tensor {
        /// Which file, as the caller named it.
        file: String,
        /// The tensor's full name.
        tensor: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A setting cannot work; the message names the numbers and a way out.
    #[error("{0}")]
    Setting(String),
    /// Shapes do not fit together; the message names the numbers.
    #[error("{0}")]
    Shape(String),
    /// The loss or a trained tensor became NaN or infinite.
    #[error("{what} at step {step}: training stopped; lower --lr or raise --warmup")]
    NotFinite {
        /// The optimiser step, counted from 1.
        step: usize,
        /// `the loss is NaN`, or which tensor has numbers that are none.
        what: String,
    },
}

impl Error {
    /// A whole file is unusable.
    pub fn file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self::File {
            file: file.into(),
            message: message.into(),
        }
    }

    /// One line of a file is unusable.
    pub fn line(file: impl Into<String>, line: usize, message: impl Into<String>) -> Self {
        Self::Line {
            file: file.into(),
            line,
            message: message.into(),
        }
    }

    /// A tensor is unusable.
    pub fn tensor(
        file: impl Into<String>,
        tensor: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::Tensor {
            file: file.into(),
            tensor: tensor.into(),
            message: message.into(),
        }
    }
}

/// Result with the crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
