//! From the bytes of a file to batches of token ids.

mod batch;
mod table;
mod tokenizer;

pub use batch::{Batch, IGNORED, Row, epoch_plan};
pub use table::{Format, Table, read_table};
pub use tokenizer::Tokenizer;
