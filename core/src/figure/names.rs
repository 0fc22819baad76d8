//! Names beside dots, where there is room for them.

/// A name to be put beside a dot.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The dot's centre.
    pub at: [f32; 2],
    /// The dot's radius.
    pub radius: f32,
    /// Width and height of the name.
    pub size: [f32; 2],
    /// Whether it may be left out where there is no room.
    pub optional: bool,
}

/// The upper left corner of each name, in the order given: above its dot, or beside it, or below it,
/// wherever it covers neither a dot nor a name placed before, and between the left and the right end of
/// `within`. `None` where there is no such place;
/// a name that must not be left out stands above its dot all the same.
pub fn place_names(labels: &[Label], within: [f32; 2]) -> Vec<Option<[f32; 2]>> {
    let mut taken: Vec<[f32; 4]> = Vec::new();
    let mut places = Vec::with_capacity(labels.len());
    for (index, label) in labels.iter().enumerate() {
        let corners = corners(label, within);
        let free = corners.iter().copied().find(|corner| {
            let rect = rect(*corner, label.size);
            let apart = |(other, dot): (usize, &Label)| {
                other == index || !overlap(&rect, &square(dot.at, dot.radius))
            };
            taken.iter().all(|other| !overlap(&rect, other)) && labels.iter().enumerate().all(apart)
        });
        let place = free.or((!label.optional).then_some(corners[0]));
        taken.extend(place.map(|corner| rect(corner, label.size)));
        places.push(place);
    }
    places
}

/// Gap between a dot and its name.
const GAP: f32 = 3.0;

fn corners(label: &Label, [from, to]: [f32; 2]) -> [[f32; 2]; 4] {
    let ([x, y], [width, height]) = (label.at, label.size);
    let reach = label.radius + GAP;
    let sides = [
        [x - width / 2.0, y - reach - height],
        [x + reach, y - height / 2.0],
        [x - reach - width, y - height / 2.0],
        [x - width / 2.0, y + reach],
    ];
    // A name that is wider than all there is begins at the left.
    sides.map(|[left, top]| [left.min(to - width).max(from), top])
}

/// Left, top, right, bottom.
fn rect([left, top]: [f32; 2], [width, height]: [f32; 2]) -> [f32; 4] {
    [left, top, left + width, top + height]
}

fn square([x, y]: [f32; 2], radius: f32) -> [f32; 4] {
    [x - radius, y - radius, x + radius, y + radius]
}

fn overlap(a: &[f32; 4], b: &[f32; 4]) -> bool {
    a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(x: f32, optional: bool) -> Label {
        Label {
            at: [x, 100.0],
            radius: 5.0,
            size: [60.0, 12.0],
            optional,
        }
    }

    const WIDE: [f32; 2] = [-1000.0, 1000.0];

    #[test]
    fn names_stay_within_the_plot() {
        for (x, left) in [(10.0, 0.0), (95.0, 40.0)] {
            let places = place_names(&[label(x, true)], [0.0, 100.0]);
            assert_eq!(places[0].map(|[left, _]| left), Some(left));
        }
    }

    #[test]
    fn names_make_way_for_each_other_and_for_dots() {
        // Six dots on one spot: four sides, then none.
        let places = place_names(&vec![label(0.0, true); 6], WIDE);
        assert_eq!(places.iter().flatten().count(), 4);
        let must = place_names(&vec![label(0.0, false); 6], WIDE);
        assert_eq!(must.iter().flatten().count(), 6);
        let apart = place_names(&[label(0.0, true), label(300.0, true)], WIDE);
        assert!(apart.iter().flatten().all(|[_, top]| *top < 95.0));
        // The neighbour's dot stands where the name would be, to the right.
        let [first, second] = place_names(&[label(0.0, true), label(12.0, true)], WIDE)[..] else {
            panic!("two names")
        };
        assert!(first.is_some_and(|[_, top]| top < 95.0));
        assert!(second.is_some_and(|[left, _]| left > 12.0));
    }
}
