//! A pickle interpreter that knows what a state dict is written with and nothing else.
//!
//! A pickle is a program: Python's own interpreter imports and calls whatever it names. This one
//! knows the opcodes that a state dict is written with and six kinds of names; all else is an
//! error, and nothing named in a file is ever looked up. What it allocates is bounded by the
//! length of the pickle, never by a number in it, and what may be named twice is short. Values
//! live in one list and refer to each other by index, so that a pickle that refers to itself is
//! harmless.

use super::node::{Global, Id, Node};
use super::tensor::{Storage, Tensor};
use crate::{Error, Result};
use std::collections::HashMap;

/// More values than any T5's pickle makes: some twenty a tensor.
pub(super) const MOST_NODES: usize = 1 << 17;
/// The longest text. It may be named again and again, and each time is a copy.
const LONGEST_TEXT: usize = 1 << 10;
/// The most arguments of a call, of which a tensor's has seven.
const MOST_ARGUMENTS: usize = 8;

/// One pickle's values, while it runs and after.
pub(super) struct Machine<'a> {
    file: &'a str,
    bytes: &'a [u8],
    /// The next byte; behind the pickle once it has run.
    pub(super) at: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// For the pickle at `at` of these bytes; `file` is for errors.
    pub(super) fn new(bytes: &'a [u8], at: usize, file: &'a str) -> Self {
        Self {
            file,
            bytes,
            at,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    pub(super) fn wrong(&self, why: impl std::fmt::Display) -> Error {
        let at = self.at;
        Error::file(self.file, format!("its pickle, at byte {at}: {why}"))
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        // Ids come from `push` alone.
        &self.nodes[id as usize]
    }

    fn take(&mut self, count: usize) -> Result<&[u8]> {
        let end = self.at.checked_add(count);
        let Some(taken) = end.and_then(|end| self.bytes.get(self.at..end)) else {
            return Err(self.wrong("is cut off: fetch or copy the file again"));
        };
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn text(&mut self, count: usize) -> Result<String> {
        let text = self.take(count)?;
        if count > LONGEST_TEXT {
            return Err(self.wrong(format!(
                "a text of {count} bytes, at most {LONGEST_TEXT} fit"
            )));
        }
        let text = std::str::from_utf8(text).map(String::from);
        text.map_err(|_| self.wrong("a text is not UTF-8"))
    }

    /// Up to a line feed, without it.
    fn line(&mut self) -> Result<String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.wrong("is cut off: fetch or copy the file again"));
        };
        let line = self.text(length)?;
        self.at += 1;
        Ok(line)
    }

    fn push(&mut self, node: Node) -> Result<()> {
        if self.nodes.len() == MOST_NODES {
            return Err(self.wrong(format!("has more than {MOST_NODES} values")));
        }
        self.stack.push(self.nodes.len() as Id);
        self.nodes.push(node);
        Ok(())
    }

    /// The last value since the last mark.
    fn last(&self) -> Result<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.last() {
            Some(id) if self.stack.len() > floor => Ok(*id),
            _ => Err(self.wrong("takes a value where there is none")),
        }
    }

    fn pop(&mut self) -> Result<Id> {
        let id = self.last()?;
        self.stack.pop();
        Ok(id)
    }

    /// All values since the last mark.
    fn pop_mark(&mut self) -> Result<Vec<Id>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => Err(self.wrong("goes back to a mark where there is none")),
        }
    }

    /// Runs to the end; the value that the pickle holds.
    pub(super) fn run(&mut self) -> Result<Id> {
        loop {
            let opcode = self.byte()?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            // PROTO and FRAME say nothing that matters here.
            0x80 => self.take(1).map(drop),
            0x95 => self.take(8).map(drop),
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'N' => self.push(Node::Plain),
            0x88 | 0x89 => self.push(Node::Truth(opcode == 0x88)),
            b'G' => {
                self.take(8)?;
                self.push(Node::Plain)
            }
            b'K' | b'M' | b'J' | 0x8a => {
                let number = self.number(opcode)?;
                self.push(Node::Int(number))
            }
            b'X' | 0x8c => {
                let length = match opcode {
                    b'X' => u32::from_le_bytes(self.array()?) as usize,
                    _ => usize::from(self.byte()?),
                };
                let text = self.text(length)?;
                self.push(Node::Text(text))
            }
            b')' | b't' | 0x85..=0x87 => self.tuple(opcode),
            b'}' => self.push(Node::Dict(Vec::new())),
            b']' => self.push(Node::List(Vec::new())),
            b'a' | b'e' => self.append(opcode),
            b's' | b'u' => self.set_items(opcode),
            b'q' | b'r' | 0x94 | b'h' | b'j' => self.remember(opcode),
            b'c' | 0x93 => self.global(opcode),
            b'Q' => self.storage(),
            b'R' => self.call(),
            // Attributes of the dictionary: `_metadata`, which holds versions of modules.
            b'b' => {
                self.pop()?;
                match self.node(self.last()?) {
                    Node::Dict(_) => Ok(()),
                    other => Err(self.wrong(format!("sets attributes of {}", other.describe()))),
                }
            }
            _ => Err(self.wrong(format!(
                "opcode {opcode:#04x}, which no dictionary of tensors needs; nothing of it was run"
            ))),
        }
    }

    fn number(&mut self, opcode: u8) -> Result<i64> {
        Ok(match opcode {
            b'K' => i64::from(self.byte()?),
            b'M' => i64::from(u16::from_le_bytes(self.array()?)),
            b'J' => i64::from(i32::from_le_bytes(self.array()?)),
            _ => {
                let length = usize::from(self.byte()?);
                if length > 8 {
                    return Err(self.wrong(format!("a number of {length} bytes, at most 8 fit")));
                }
                let bytes = self.take(length)?;
                let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
                let mut whole = if negative { [0xff; 8] } else { [0; 8] };
                whole[..length].copy_from_slice(bytes);
                i64::from_le_bytes(whole)
            }
        })
    }

    fn tuple(&mut self, opcode: u8) -> Result<()> {
        let items = match opcode {
            b')' => Vec::new(),
            b't' => self.pop_mark()?,
            _ => {
                let count = usize::from(opcode - 0x84);
                let mut items = Vec::with_capacity(count);
                for _ in 0..count {
                    items.push(self.pop()?);
                }
                items.reverse();
                items
            }
        };
        self.push(Node::Tuple(items))
    }

    fn append(&mut self, opcode: u8) -> Result<()> {
        let more = match opcode {
            b'e' => self.pop_mark()?,
            _ => vec![self.pop()?],
        };
        let target = self.last()?;
        match &mut self.nodes[target as usize] {
            Node::List(items) => {
                items.extend(more);
                Ok(())
            }
            other => {
                let kind = other.describe();
                Err(self.wrong(format!("appends to {kind}")))
            }
        }
    }

    fn set_items(&mut self, opcode: u8) -> Result<()> {
        let items = match opcode {
            b'u' => self.pop_mark()?,
            _ => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
        };
        let (pairs, rest) = items.as_chunks::<2>();
        let target = self.last()?;
        match &mut self.nodes[target as usize] {
            Node::Dict(entries) if rest.is_empty() => {
                entries.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            Node::Dict(_) => Err(self.wrong("a key without a value")),
            other => {
                let kind = other.describe();
                Err(self.wrong(format!("sets items of {kind}")))
            }
        }
    }

    fn remember(&mut self, opcode: u8) -> Result<()> {
        let key = match opcode {
            b'q' | b'h' => u32::from(self.byte()?),
            0x94 => self.memo.len() as u32,
            _ => u32::from_le_bytes(self.array()?),
        };
        if matches!(opcode, b'h' | b'j') {
            let Some(id) = self.memo.get(&key) else {
                return Err(self.wrong(format!("recalls value {key}, which it never kept")));
            };
            self.stack.push(*id);
        } else {
            self.memo.insert(key, self.last()?);
        }
        Ok(())
    }

    fn global(&mut self, opcode: u8) -> Result<()> {
        let [module, name] = match opcode {
            b'c' => [self.line()?, self.line()?],
            _ => {
                let name = self.pop()?;
                let module = self.pop()?;
                match (self.node(module), self.node(name)) {
                    (Node::Text(module), Node::Text(name)) => [module.clone(), name.clone()],
                    _ => return Err(self.wrong("names something by no text")),
                }
            }
        };
        let Some(global) = Global::new(&module, &name) else {
            let shown: String = format!("{module}.{name}").chars().take(80).collect();
            return Err(self.wrong(format!(
                "asks for `{shown}`, which is no part of a dictionary of tensors: do not trust \
                 this file; nothing of it was run"
            )));
        };
        self.push(Node::Global(global))
    }

    /// A persistent id: `("storage", type, key, location, elements)`, in the old form with a sixth
    /// place for a view of another storage, which no release with T5 in it writes.
    fn storage(&mut self) -> Result<()> {
        let id = self.pop()?;
        let parts = match self.node(id) {
            Node::Tuple(items) => items.iter().map(|item| self.node(*item)).collect(),
            _ => Vec::new(),
        };
        let storage = match parts[..] {
            [
                Node::Text(kind),
                Node::Global(Global::Storage(dtype)),
                Node::Text(key),
                Node::Text(_),
                Node::Int(elements),
                ref view @ ..,
            ] if matches!(view, [] | [Node::Plain]) && kind == "storage" => Some(Storage {
                key: key.clone(),
                dtype: *dtype,
                elements: u64::try_from(*elements).unwrap_or(0),
            }),
            _ => None,
        };
        match storage {
            Some(storage) => self.push(Node::Storage(storage)),
            None => Err(self.wrong("refers to something outside that is no storage")),
        }
    }

    /// A call of one of the known names.
    fn call(&mut self) -> Result<()> {
        let arguments = self.pop()?;
        let function = self.pop()?;
        let (Node::Tuple(arguments), Node::Global(global)) =
            (self.node(arguments), self.node(function))
        else {
            return Err(self.wrong("calls what is no name"));
        };
        if arguments.len() > MOST_ARGUMENTS {
            return Err(self.wrong(format!("a call with {} arguments", arguments.len())));
        }
        let nodes: Vec<&Node> = arguments.iter().map(|id| self.node(*id)).collect();
        let made = match (global, &nodes[..]) {
            (Global::OrderedDict, []) => Node::Dict(Vec::new()),
            (Global::RebuildParameter, [tensor @ Node::Tensor(_), ..]) => (*tensor).clone(),
            (
                Global::RebuildTensor,
                [
                    Node::Storage(storage),
                    Node::Int(offset),
                    Node::Tuple(shape),
                    Node::Tuple(strides),
                    ..,
                ],
            ) => {
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                let offset = u64::try_from(*offset)
                    .map_err(|_| self.wrong("a tensor begins before its storage"))?;
                let made = Tensor::new(storage.clone(), offset, shape, strides);
                Node::Tensor(made.map_err(|why| self.wrong(why))?)
            }
            _ => return Err(self.wrong("a call with other arguments than a tensor's")),
        };
        self.push(made)
    }

    fn sizes(&self, ids: &[Id]) -> Result<Vec<u64>> {
        let size = |id: &Id| match self.node(*id) {
            Node::Int(size) => u64::try_from(*size).ok(),
            _ => None,
        };
        let sizes = ids.iter().map(size).collect::<Option<Vec<_>>>();
        sizes.ok_or_else(|| self.wrong("a size or stride is no number from 0"))
    }
}
