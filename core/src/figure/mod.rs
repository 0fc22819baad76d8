//! The paper's figures, drawn as SVG from one's own runs.
//!
//! A picture for a paper must not depend on a screen: the page and the command line draw the same
//! text from the same numbers.

mod colours;
mod growth;
mod names;
mod pareto;
mod picture;
mod samples;

pub use colours::{ACCENT, method_colour};
pub use growth::{Chart, Cost, Grown, Growth};
pub use names::{Label, place_names};
pub use pareto::{Dot, Pareto};
pub use picture::{Anchor, Picture, Shape};
pub use samples::{Curve, Panel, Samples, Spot};

/// Ground, ink, dim, line; on light and on dark.
const INKS: [[u32; 4]; 2] = [
    [0xffffff, 0x191b20, 0x5b6170, 0xdfe1e6],
    [0x0f1014, 0xe8e9ed, 0x9ba0ad, 0x2a2d36],
];
