//! A method is data: where layers go, what they are made of, what of the base trains.
//!
//! T5 is handed such a specification and knows none of the methods by name.

mod overrides;
mod parts;
mod presets;
mod spec;

pub use overrides::{Overrides, RuleOwner};
pub use parts::{FACTORS, Group, INTRINSIC, INTRINSIC_SCALES, Init, PROMPT, Part, Place, RULE};
pub use presets::NAMES;
pub use spec::{
    AdapterInput, Adapters, BaseTrains, Intrinsic, Layer, Method, Prompt, PromptStart, Rule, Site,
};
