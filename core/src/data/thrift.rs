//! As much of Thrift's compact protocol, in which Parquet's headers are written, as it takes to see
//! what they claim before the reader allocates by it.

/// Kinds of values; Parquet has no sets or maps.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

/// The header of a field that follows the one before and is an i32.
pub(super) const I32_FIELD: u8 = 0x15;
/// The number of a schema node's field that says how many nodes are below it.
const CHILDREN: u64 = 5;
/// Levels of a schema's node.
const NODE_LEVELS: u8 = 8;

pub(super) fn varint(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut value = 0;
    for shift in (0..63).step_by(7) {
        let byte = bytes.next()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// What a footer's schema claims.
pub(super) struct Schema {
    /// Nodes of its list.
    pub(super) nodes: u64,
    /// Most nodes that one says it has below it, as far as there are nodes; the reader makes room for
    /// them by its word.
    pub(super) children: u64,
}

/// Every writer puts the schema second into the footer, after the version; `None` if it is not there.
pub(super) fn schema(footer: &[u8]) -> Option<Schema> {
    let mut bytes = footer.iter().copied();
    (bytes.next()? == I32_FIELD).then_some(())?;
    varint(&mut bytes)?;
    (bytes.next()? == 1 << 4 | LIST).then_some(())?;
    let head = bytes.next()?;
    (head & 15 == STRUCT).then_some(())?;
    let nodes = match head >> 4 {
        15 => varint(&mut bytes)?,
        short => short.into(),
    };
    let below = (0..nodes).map_while(|_| children(&mut bytes));
    let children = below.max().unwrap_or(0);
    Some(Schema { nodes, children })
}

/// Passes over a schema's node.
fn children(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let (mut field, mut most) = (0, 0);
    loop {
        let head = bytes.next()?;
        if head == 0 {
            return Some(most);
        }
        field = match head >> 4 {
            0 => varint(bytes)? / 2, // zigzag
            further => field + u64::from(further),
        };
        match head & 15 {
            TRUE | FALSE => {} // the value is the kind
            // Zigzag: odd numbers are below 0.
            I16 | I32 | I64 if field == CHILDREN => match varint(bytes)? {
                number if number % 2 == 0 => most = most.max(number / 2),
                _ => most = u64::MAX,
            },
            kind => skip(bytes, kind, NODE_LEVELS)?,
        }
    }
}

/// Whether these bytes begin with a struct that ends in them, of at most so many levels.
pub(super) fn is_whole(bytes: &[u8], levels: u8) -> bool {
    skip(&mut bytes.iter().copied(), STRUCT, levels).is_some()
}

/// Passes over a value of Thrift's compact protocol; `None` if it is not whole. The reader goes on
/// past the end, as often as a list says that it has values.
fn skip(bytes: &mut impl Iterator<Item = u8>, kind: u8, depth: u8) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match kind {
        BYTE => bytes.next().map(drop),
        I16 | I32 | I64 => varint(bytes).map(drop),
        DOUBLE => bytes.nth(7).map(drop),
        BINARY => match usize::try_from(varint(bytes)?).ok()? {
            0 => Some(()),
            length => bytes.nth(length - 1).map(drop),
        },
        LIST => {
            let head = bytes.next()?;
            let count = match head >> 4 {
                15 => varint(bytes)?,
                short => short.into(),
            };
            let kind = head & 15;
            // To the reader they have no bytes in a list, and headers have no such lists.
            if let (TRUE | FALSE, 1..) = (kind, count) {
                return None;
            }
            // Every value has a byte at least, so that this ends with the bytes.
            (0..count).try_for_each(|_| skip(bytes, kind, depth))
        }
        STRUCT => loop {
            let head = bytes.next()?;
            match head {
                0 => return Some(()),
                // The field's number stands apart.
                1..16 => varint(bytes).map(drop)?,
                _ => {}
            }
            match head & 15 {
                TRUE | FALSE => {} // the value is the kind
                kind => skip(bytes, kind, depth)?,
            }
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_a_header_ends_with_the_file() {
        let whole = |rest: &[u8]| {
            let bytes = [&[0x15, 0, 0x15, 0, 0x15, 2], rest].concat();
            is_whole(&bytes, 8)
        };
        assert!(whole(&[0]));
        // A short list of numbers, a text, a truth value, a struct, a double, a far field.
        assert!(whole(&[
            0x19, 0x25, 2, 4, 0x18, 1, b'a', 0x11, 0x1c, 0x15, 2, 0, 0
        ]));
        assert!(whole(&[0x17, 1, 2, 3, 4, 5, 6, 7, 8, 0x05, 40, 2, 0]));
        // The reader takes truth values in a list for nothing, and what follows for something else.
        assert!(whole(&[0x19, 0x01, 0]) && !whole(&[0x19, 0x11, 0, 0]));
        // A list of 2^31 doubles and no more bytes: the reader took minutes.
        assert!(!whole(&[0x19, 0xf7, 0xff, 0xff, 0xff, 0xff, 7]));
        assert!(!whole(&[]) && !whole(&[0x18, 9, 0]) && !whole(&[0x1c; 20]));
    }

    #[test]
    fn a_node_says_how_many_are_below_it() {
        let footer =
            |below: &[u8]| [&[0x15, 2, 0x19, 0x2c, 0x48, 1, b'a', 0x15], below, &[0, 0]].concat();
        let claims = |footer: &[u8]| schema(footer).map(|schema| (schema.nodes, schema.children));
        assert_eq!(claims(&footer(&[2])), Some((2, 1)));
        // The fuzzer found 2^29: room for 6 GB.
        let many = footer(&[0x80, 0x80, 0x80, 0x80, 0x04]);
        assert_eq!(claims(&many), Some((2, 1 << 29)));
        assert_eq!(claims(&[0x15, 2, 0x18, 0]), None);
    }
}
