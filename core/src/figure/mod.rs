//! The paper's figures, drawn as SVG from one's own runs.
//!
//! A picture for a paper must not depend on a screen: the page and the command line draw the same
//! text from the same numbers.

mod colours;
mod names;
mod pareto;
mod svg;

pub use colours::{ACCENT, method_colour};
pub use names::{Label, place_names};
pub use pareto::{Dot, Pareto};
