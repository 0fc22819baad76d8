//! From the bytes of a file to batches of token ids.

mod batch;
mod objects;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
mod table;
mod tokenizer;

pub use batch::{Batch, IGNORED, Row, epoch_plan};
pub(crate) use objects::kind;
pub use objects::{Each, Object, read_objects};
#[cfg(feature = "parquet")]
pub use parquet::read_parquet;
pub use table::{Format, Table, read_table};
pub use tokenizer::Tokenizer;
