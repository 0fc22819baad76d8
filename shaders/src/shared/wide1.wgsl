// Neighbouring numbers of a row that an invocation takes at once: one.
alias Wide = f32;
const LANES: u32 = 1u;

fn sum_of(wide: Wide) -> f32 { return wide; }

fn lane_of(wide: Wide, lane: u32) -> f32 { return wide; }
