//! What fields Parquet's headers have, each list in the order of their numbers, from 1: its format's
//! `src/main/thrift/parquet.thrift`, in which enumerations are numbers. What encryption adds at the
//! end of some is left out, for the reader passes over it.

use super::thrift::Kind::{self, Binary, Bool, Byte, Double, Int, List, Struct, Unknown};

/// `FileMetaData`: the footer.
pub(super) const FILE: &[Kind] = &[
    Int,
    List(&Struct(SCHEMA_ELEMENT)),
    Int,
    List(&Struct(ROW_GROUP)),
    List(&Struct(KEY_VALUE)),
    Binary,
    List(&Struct(COLUMN_ORDER)),
];

/// `PageHeader`: what stands before each page.
pub(super) const PAGE: &[Kind] = &[
    Int,
    Int,
    Int,
    Int,
    Struct(DATA_PAGE),
    Struct(NOTHING),
    Struct(DICTIONARY_PAGE),
    Struct(DATA_PAGE_V2),
];

const NOTHING: &[Kind] = &[];

const SCHEMA_ELEMENT: &[Kind] = &[
    Int,
    Int,
    Int,
    Binary,
    Int,
    Int,
    Int,
    Int,
    Int,
    Struct(LOGICAL_TYPE),
];

const LOGICAL_TYPE: &[Kind] = &[
    Struct(NOTHING),
    Struct(NOTHING),
    Struct(NOTHING),
    Struct(NOTHING),
    Struct(&[Int, Int]), // decimal
    Struct(NOTHING),
    Struct(TIME),
    Struct(TIME),
    Unknown,               // no such field
    Struct(&[Byte, Bool]), // integer
    Struct(NOTHING),
    Struct(NOTHING),
    Struct(NOTHING),
    Struct(NOTHING),
    Struct(NOTHING),
    Struct(&[Byte]),        // variant
    Struct(&[Binary]),      // geometry
    Struct(&[Binary, Int]), // geography
    Struct(NOTHING),
];

/// `TimeType` and `TimestampType`, with the union of their units.
const TIME: &[Kind] = &[
    Bool,
    Struct(&[Struct(NOTHING), Struct(NOTHING), Struct(NOTHING)]),
];

const COLUMN_ORDER: &[Kind] = &[Struct(NOTHING), Struct(NOTHING), Struct(NOTHING)];

const KEY_VALUE: &[Kind] = &[Binary, Binary];

const ROW_GROUP: &[Kind] = &[
    List(&Struct(COLUMN_CHUNK)),
    Int,
    Int,
    List(&Struct(&[Int, Bool, Bool])), // sorting columns
    Int,
    Int,
    Int,
];

const COLUMN_CHUNK: &[Kind] = &[Binary, Int, Struct(COLUMN), Int, Int, Int, Int];

/// `ColumnMetaData`.
const COLUMN: &[Kind] = &[
    Int,
    List(&Int),
    List(&Binary),
    Int,
    Int,
    Int,
    Int,
    List(&Struct(KEY_VALUE)),
    Int,
    Int,
    Int,
    Struct(STATISTICS),
    List(&Struct(&[Int, Int, Int])), // encodings of pages
    Int,
    Int,
    Struct(&[Int, List(&Int), List(&Int)]), // sizes
    Struct(&[Struct(BOX), List(&Int)]),     // geospatial
];

const BOX: &[Kind] = &[
    Double, Double, Double, Double, Double, Double, Double, Double,
];

const STATISTICS: &[Kind] = &[Binary, Binary, Int, Int, Binary, Binary, Bool, Bool, Int];

const DICTIONARY_PAGE: &[Kind] = &[Int, Int, Bool];

const DATA_PAGE: &[Kind] = &[Int, Int, Int, Int, Struct(STATISTICS)];

const DATA_PAGE_V2: &[Kind] = &[Int, Int, Int, Int, Int, Int, Bool, Struct(STATISTICS)];
