// What the invocations of a workgroup have, brought together. All of them must come here, and with
// the same number of barriers behind them.
var<workgroup> shares: array<f32, {{ workgroup }}>;

fn total(lid: u32, share: f32) -> f32 {
    shares[lid] = share;
    workgroupBarrier();
    for (var reach = {{ workgroup }}u / 2u; reach > 0u; reach /= 2u) {
        if (lid < reach) { shares[lid] += shares[lid + reach]; }
        workgroupBarrier();
    }
    let sum = shares[0];
    workgroupBarrier();
    return sum;
}

fn largest(lid: u32, share: f32) -> f32 {
    shares[lid] = share;
    workgroupBarrier();
    for (var reach = {{ workgroup }}u / 2u; reach > 0u; reach /= 2u) {
        if (lid < reach) { shares[lid] = max(shares[lid], shares[lid + reach]); }
        workgroupBarrier();
    }
    let most = shares[0];
    workgroupBarrier();
    return most;
}
