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

/// What a value is by Parquet's description of its headers.
pub(super) enum Kind {
    Bool,
    Byte,
    /// Of any width: the bytes are the same, and there are writers that take another.
    Int,
    Double,
    Binary,
    List(&'static Kind),
    /// Its fields, which are numbered from 1.
    Struct(&'static [Kind]),
    /// A field that the reader does not know: it passes over it by what the file says.
    Unknown,
}

impl Kind {
    fn allows(&self, said: u8) -> bool {
        match self {
            Self::Bool => said == TRUE || said == FALSE,
            Self::Byte => said == BYTE,
            Self::Int => matches!(said, I16 | I32 | I64),
            Self::Double => said == DOUBLE,
            Self::Binary => said == BINARY,
            Self::List(_) => said == LIST,
            Self::Struct(_) => said == STRUCT,
            Self::Unknown => true,
        }
    }
}

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
        field = after(field, head, bytes)?;
        match head & 15 {
            // Zigzag: odd numbers are below 0.
            I16 | I32 | I64 if field == CHILDREN => match varint(bytes)? {
                number if number % 2 == 0 => most = most.max(number / 2),
                _ => most = u64::MAX,
            },
            kind => value(bytes, kind, &Kind::Unknown, NODE_LEVELS)?,
        }
    }
}

/// Whether these bytes begin with a struct of such fields, of at most so many levels, that ends in
/// them. The reader takes a field that it knows for what it should be, whatever the file says, and
/// goes on past the end, as often as a list says that it has values.
pub(super) fn is_struct(bytes: &[u8], known: &[Kind], levels: u8) -> bool {
    fields(&mut bytes.iter().copied(), known, levels).is_some()
}

fn fields(bytes: &mut impl Iterator<Item = u8>, known: &[Kind], depth: u8) -> Option<()> {
    let mut number = 0;
    loop {
        let head = bytes.next()?;
        if head == 0 {
            return Some(());
        }
        number = after(number, head, bytes)?;
        let index = usize::try_from(number).ok()?.checked_sub(1);
        let known = index.and_then(|index| known.get(index));
        value(bytes, head & 15, known.unwrap_or(&Kind::Unknown), depth)?;
    }
}

/// The number of the field with this head, which is greater than that of the field before: one that
/// came a second time would replace what was looked at.
fn after(number: u64, head: u8, bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    match head >> 4 {
        // Zigzag; the reader keeps sixteen bits of it.
        0 => {
            let apart = varint(bytes)?;
            let is_next = apart % 2 == 0 && (number + 1..=i16::MAX as u64).contains(&(apart / 2));
            is_next.then_some(apart / 2)
        }
        further => Some(number + u64::from(further)),
    }
}

/// Passes over a value that the file says is of kind `said`; `None` if it is not whole, or not what
/// is known of it.
fn value(bytes: &mut impl Iterator<Item = u8>, said: u8, known: &Kind, depth: u8) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    known.allows(said).then_some(())?;
    match said {
        TRUE | FALSE => Some(()), // the value is the kind
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
            let item = match known {
                Kind::List(item) => item,
                _ => &Kind::Unknown,
            };
            // To the reader truth values have no bytes in a list, and headers have no such lists.
            if let (TRUE | FALSE, 1..) = (head & 15, count) {
                return None;
            }
            // Every value has a byte at least, so that this ends with the bytes.
            (0..count).try_for_each(|_| value(bytes, head & 15, item, depth))
        }
        STRUCT => match known {
            Kind::Struct(known) => fields(bytes, known, depth),
            _ => fields(bytes, &[], depth),
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
            is_struct(&bytes, &[], 8)
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
    fn a_known_field_is_of_its_kind() {
        const KNOWN: &[Kind] = &[
            Kind::Bool,
            Kind::List(&Kind::Int),
            Kind::Struct(&[Kind::Int]),
        ];
        let is = |bytes: &[u8]| is_struct(bytes, KNOWN, 4);
        assert!(is(&[0x11, 0x19, 0x15, 8, 0x1c, 0x16, 8, 0, 0]));
        assert!(!is(&[0x15, 2, 0]), "a number for a truth value");
        assert!(
            !is(&[0x29, 0x18, 0, 0]),
            "a list of texts for one of numbers"
        );
        assert!(!is(&[0x3c, 0x18, 0, 0, 0]), "a text for a number within");
        // By numbers that stand apart, one of which sixteen bits turn into a known one.
        assert!(is(&[0x01, 2, 0]) && !is(&[0x05, 2, 8, 0]));
        assert!(is(&[0x45, 8, 0]) && !is(&[0x05, 0x82, 0x80, 0x08, 8, 0]));
        // A second time: the fuzzer gave a page another size.
        assert!(is(&[0x45, 8, 0x05, 10, 8, 0]) && !is(&[0x45, 8, 0x05, 8, 8, 0]));
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
