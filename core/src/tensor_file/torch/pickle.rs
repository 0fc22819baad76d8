//! What the pickles of `torch.save` say: a dictionary of tensors, and in the old form where they lie.
//!
//! [`Machine`] says how they are read without being executed.

use super::big_endian;
use super::machine::Machine;
use super::node::{Id, Node};
use super::tensor::Tensor;
use crate::{Error, Result};

/// The largest T5 has a pickle of some hundred kilobytes.
pub(super) const LONGEST: u64 = 1 << 20;
/// How `torch.save` began before version 1.6: a number, pickled.
pub(super) const OLD: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The version that all such files have.
const PROTOCOL: i64 = 1001;

/// The tensors of a state dict, in its order.
pub(super) type Tensors = Vec<(String, Tensor)>;

/// The tensors of a pickled state dict; `file` is for errors.
pub(super) fn state_dict(bytes: &[u8], file: &str) -> Result<Tensors> {
    let mut machine = Machine::new(bytes, 0, file);
    let top = machine.run()?;
    tensors(&machine, top, file)
}

/// What stands in front of the numbers in the old form.
#[derive(Debug)]
pub(super) struct Old {
    pub(super) tensors: Tensors,
    /// The storages' names, in the order in which they follow.
    pub(super) keys: Vec<String>,
    /// The first byte behind all pickles.
    pub(super) end: u64,
}

/// The five pickles in front of a file of the old form: a number that tells it, its version, the
/// machine's ways, the state dict and the storages' names.
pub(super) fn old(bytes: &[u8], file: &str) -> Result<Old> {
    let mut machine = Machine::new(bytes, OLD.len(), file);
    let top = machine.run()?;
    if !matches!(machine.node(top), Node::Int(PROTOCOL)) {
        return Err(machine.wrong(format!("its version is not {PROTOCOL}")));
    }
    let mut machine = Machine::new(bytes, machine.at, file);
    let top = machine.run()?;
    if !little_endian(&machine, top) {
        return Err(big_endian(file));
    }
    let mut machine = Machine::new(bytes, machine.at, file);
    let top = machine.run()?;
    let tensors = tensors(&machine, top, file)?;
    let mut machine = Machine::new(bytes, machine.at, file);
    let top = machine.run()?;
    let Node::List(items) = machine.node(top) else {
        return Err(machine.wrong("has no list of storages"));
    };
    let key = |id: &Id| match machine.node(*id) {
        Node::Text(key) => Some(key.clone()),
        _ => None,
    };
    let keys = items.iter().map(key).collect::<Option<Vec<_>>>();
    Ok(Old {
        tensors,
        keys: keys.ok_or_else(|| machine.wrong("a storage's name is no text"))?,
        end: machine.at as u64,
    })
}

fn little_endian(machine: &Machine<'_>, top: Id) -> bool {
    let Node::Dict(entries) = machine.node(top) else {
        return false;
    };
    entries.iter().any(|(key, value)| {
        let key = matches!(machine.node(*key), Node::Text(key) if key == "little_endian");
        key && matches!(machine.node(*value), Node::Truth(true))
    })
}

fn tensors(machine: &Machine<'_>, top: Id, file: &str) -> Result<Tensors> {
    let Node::Dict(entries) = machine.node(top) else {
        let kind = machine.node(top).describe();
        return Err(machine.wrong(format!("holds {kind}, expected a dictionary of tensors")));
    };
    let mut tensors = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let Node::Text(name) = machine.node(*key) else {
            return Err(machine.wrong("a tensor's name is no text"));
        };
        let Node::Tensor(tensor) = machine.node(*value) else {
            let message = format!(
                "is {}, expected a tensor: save the model's state dict alone",
                machine.node(*value).describe()
            );
            return Err(Error::tensor(file, name, message));
        };
        tensors.push((name.clone(), tensor.clone()));
    }
    Ok(tensors)
}

#[cfg(test)]
mod tests {
    use super::super::machine::MOST_NODES;
    use super::*;

    fn error(bytes: &[u8]) -> String {
        state_dict(bytes, "x.bin").unwrap_err().to_string()
    }

    /// `{"w": tensor}` with this storage length, offset, shape and strides.
    fn one(elements: u8, offset: u8, shape: &[u8], strides: &[u8]) -> Vec<u8> {
        let mut text = b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n(".to_vec();
        text.extend(b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK");
        text.extend([elements, b't', b'Q', b'K', offset]);
        for sizes in [shape, strides] {
            text.push(b'(');
            sizes.iter().for_each(|size| text.extend([b'K', *size]));
            text.push(b't');
        }
        text.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
        text
    }

    #[test]
    fn a_tensor_comes_out_of_the_whole_alone() {
        let whole = one(12, 0, &[3, 4], &[4, 1]);
        let tensors = state_dict(&whole, "x.bin").unwrap();
        let [(name, tensor)] = <[_; 1]>::try_from(tensors).unwrap();
        assert_eq!((name.as_str(), &tensor.shape[..]), ("w", &[3, 4][..]));
        assert!(tensor.is_contiguous());
        for end in 0..whole.len() {
            assert!(state_dict(&whole[..end], "x.bin").is_err(), "{end}");
        }
    }

    #[test]
    fn no_changed_byte_makes_it_panic() {
        let whole = one(12, 0, &[3, 4], &[4, 1]);
        for at in 0..whole.len() {
            for byte in 0..=255 {
                let mut changed = whole.clone();
                changed[at] = byte;
                // Some are still a dictionary, under another name or with other sizes.
                if let Ok(tensors) = state_dict(&changed, "x.bin") {
                    assert!(tensors.iter().all(|(_, t)| t.elements() <= 255));
                }
            }
        }
    }

    #[test]
    fn names_that_could_do_harm_are_refused_and_named() {
        let text = error(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.");
        assert!(text.contains("`os.system`"), "{text}");
        let text = error(b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93.");
        assert!(text.contains("`builtins.eval`"), "{text}");
        // Also what merely resembles a storage.
        let text = error(b"\x80\x02ctorch\nEvilStorage\n.");
        assert!(text.contains("`torch.EvilStorage`"), "{text}");
        // INST, OBJ, NEWOBJ, EXT1 and the like are no opcodes here.
        for opcode in [b'i', b'o', 0x81, 0x82, 0x92, b'd', b'l', b'0', b'2', b'S'] {
            let text = error(&[0x80, 2, opcode, b'.']);
            assert!(text.contains("opcode"), "{text}");
        }
    }

    #[test]
    fn a_dictionary_in_itself_is_no_trap() {
        // d = {}; d["a"] = d
        let text = error(b"\x80\x02}q\0X\x01\0\0\0ah\0s.");
        assert!(text.contains("`a`: is a dictionary"), "{text}");
    }

    #[test]
    fn huge_counts_allocate_nothing() {
        let text = error(b"\x80\x02X\xff\xff\xff\xffabc.");
        assert!(text.contains("cut off"), "{text}");
        let many = [&b"\x80\x02"[..], &vec![b'N'; MOST_NODES + 1]].concat();
        assert!(error(&many).contains("values"));
        assert!(error(b"\x80\x02j\x01\0\0\0.").contains("never kept"));
        assert!(error(b"\x80\x02\x8a\xffabc.").contains("255 bytes"));
    }

    #[test]
    fn what_is_named_again_and_again_is_short() {
        // Each time would be a copy of a text, of a tensor's sizes, or a walk along the arguments.
        let text = [&b"\x80\x02X\0\x08\0\0"[..], &[b'a'; 2048], b"."].concat();
        assert!(error(&text).contains("a text of 2048 bytes"));
        let sizes = vec![1; 64];
        assert!(error(&one(12, 0, &sizes, &sizes)).contains("64 sizes"));
        let call = format!("ccollections\nOrderedDict\n({}tR.", "N".repeat(99));
        assert!(error(call.as_bytes()).contains("99 arguments"));
    }

    #[test]
    fn a_stack_that_is_misused_is_an_error() {
        for bytes in [
            &b"."[..],
            b"t.",
            b"}(K\x01u.",
            b"K\x01K\x02K\x03s.",
            b"}(\x85.",
            b"K\x01b.",
            b"K\x01)R.",
            b"K\x01Q.",
            b"ccollections\nOrderedDict\nK\x01\x85R.",
        ] {
            assert!(state_dict(bytes, "x.bin").is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn tensors_stay_in_their_storage() {
        assert!(error(&one(11, 0, &[3, 4], &[4, 1])).contains("storage"));
        assert!(error(&one(12, 1, &[3, 4], &[4, 1])).contains("storage"));
        assert!(error(&one(12, 0, &[3, 4], &[5, 1])).contains("storage"));
        assert!(error(&one(12, 0, &[3, 4], &[1])).contains("strides"));
        // A stride of 0 would make 200 × 200 numbers out of one.
        assert!(error(&one(1, 0, &[200, 200], &[0, 0])).contains("storage"));
    }
}
