// What Fastfood draws from a seed: a bijection of the integers below a power of two, and Gaussians
// as one of 4096 quantiles. All in integers, so that every backend draws the same.
// info: size − 1, period − 1, shift, two keys, then four factors, four summands, four inverses
@group(0) @binding(3) var<storage, read> info: array<u32>;

fn mix_bits(word: u32) -> u32 {
    var hash = word;
    hash = (hash ^ (hash >> 16u)) * 0x85ebca6bu;
    hash = (hash ^ (hash >> 13u)) * 0xc2b2ae35u;
    return hash ^ (hash >> 16u);
}

fn level(j: u32) -> u32 {
    return mix_bits(mix_bits(j ^ info[3]) + info[4]) >> 20u;
}

fn permuted(j: u32) -> u32 {
    var at = j;
    for (var turn = 0u; turn < 4u; turn++) {
        at = (at * info[5u + turn] + info[9u + turn]) & info[0];
        at = at ^ (at >> info[2]);
    }
    return at;
}

fn permuted_back(j: u32) -> u32 {
    var at = j;
    for (var turn = 4u; turn > 0u; turn--) {
        at = at ^ (at >> info[2]);
        at = ((at - info[8u + turn]) * info[12u + turn]) & info[0];
    }
    return at;
}
