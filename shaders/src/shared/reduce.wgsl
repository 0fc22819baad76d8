// What the invocations of a team have, brought together. All of the workgroup must come here, and
// with the same number of barriers behind them.
const TEAM: u32 = {{ team }}u;

var<workgroup> shares: array<f32, {{ workgroup }}>;

fn total(lid: u32, share: f32) -> f32 {
    shares[lid] = share;
    workgroupBarrier();
    for (var reach = TEAM / 2u; reach > 0u; reach /= 2u) {
        if (lid % TEAM < reach) { shares[lid] += shares[lid + reach]; }
        workgroupBarrier();
    }
    let sum = shares[lid - lid % TEAM];
    workgroupBarrier();
    return sum;
}

fn largest(lid: u32, share: f32) -> f32 {
    shares[lid] = share;
    workgroupBarrier();
    for (var reach = TEAM / 2u; reach > 0u; reach /= 2u) {
        if (lid % TEAM < reach) { shares[lid] = max(shares[lid], shares[lid + reach]); }
        workgroupBarrier();
    }
    let most = shares[lid - lid % TEAM];
    workgroupBarrier();
    return most;
}
