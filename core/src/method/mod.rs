//! A method is data: where layers go, what they are made of, what of the base trains.
//!
//! T5 is handed such a specification and knows none of the methods by name.

mod presets;
mod spec;

pub use presets::{NAMES, Overrides};
pub use spec::{
    AdapterInput, Adapters, BaseTrains, Group, Init, Layer, Method, Part, Place, RULE, Site,
};
