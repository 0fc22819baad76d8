//! A part of a sweep, for several machines that share nothing.

use std::str::FromStr;

/// Every `count`-th run, from the `index`-th on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Counted from 1.
    index: usize,
    count: usize,
}

impl Shard {
    /// Whether the run at this place (counted from 0) is in it.
    pub fn holds(self, place: usize) -> bool {
        place % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    /// `2/3`: the second of three.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("shard `{text}`: expected i/N with i from 1 to N, as in 2/3");
        let (index, count) = text.split_once('/').ok_or_else(wrong)?;
        let number = |text: &str| text.parse::<usize>().map_err(|_| wrong());
        let (index, count) = (number(index)?, number(count)?);
        match (1..=count).contains(&index) {
            true => Ok(Self { index, count }),
            false => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_a_partition() {
        let shards: Vec<Shard> = (1..=3).map(|i| format!("{i}/3").parse().unwrap()).collect();
        for place in 0..10 {
            let holders = shards.iter().filter(|shard| shard.holds(place)).count();
            assert_eq!(holders, 1, "{place}");
        }
        assert!("1/1".parse::<Shard>().unwrap().holds(7));
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in ["0/3", "4/3", "1", "a/b", "1/0", ""] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains("expected i/N"), "{error}");
        }
    }
}
