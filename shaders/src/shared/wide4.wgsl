// Neighbouring numbers of a row that an invocation takes at once: four, in one load.
alias Wide = vec4<f32>;
const LANES: u32 = 4u;

fn sum_of(wide: Wide) -> f32 { return wide.x + wide.y + wide.z + wide.w; }

fn lane_of(wide: Wide, lane: u32) -> f32 { return wide[lane]; }
