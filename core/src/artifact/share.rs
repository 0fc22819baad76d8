//! An adapter as a short text that fits in a link: int8, deflated, base64url, with a checksum.
//!
//! `1.` and base64url of a deflate stream of: the length of a JSON object (u32), the object (header
//! of the adapter, names and shapes of its tensors), then for each tensor one f32 scale per 64
//! values and the values as i8, and at the end the first 8 bytes of the SHA-256 of all before.

use super::{Header, write};
use crate::tensor_file::Floats;
use crate::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{Read, Write};

const VERSION: &str = "1.";
/// Where messages say that the text was.
const LINK: &str = "the link";
/// Values that share a scale.
const BLOCK: usize = 64;
/// More values make a link that browsers and messengers cut.
const MOST_VALUES: usize = 200_000;
/// What a link may unpack to: the values, their scales, and a header.
const MOST_BYTES: usize = 2 * MOST_VALUES;
const CHECKSUM: usize = 8;

#[derive(Serialize, Deserialize)]
struct Meta {
    header: Header,
    tensors: Vec<(String, Vec<usize>)>,
}

fn broken(message: impl Into<String>) -> Error {
    Error::file(LINK, message)
}

/// The text of an adapter file's bytes; values are rounded to 8 bits.
pub fn to_text(adapter: &[u8]) -> Result<String> {
    let header = Header::read(adapter, "the adapter")?;
    let file =
        SafeTensors::deserialize(adapter).map_err(|e| Error::file("the adapter", e.to_string()))?;
    let mut tensors: Vec<_> = file.iter().collect();
    tensors.sort_by_key(|(name, _)| *name);
    let (mut named, mut numbers, mut total) = (Vec::new(), Vec::new(), 0);
    for (name, view) in tensors {
        if view.dtype() != Dtype::F32 {
            let message = format!("stored as {:?}, expected F32", view.dtype());
            return Err(Error::tensor("the adapter", name, message));
        }
        let values: Vec<f32> = Floats::F32.values(view.data()).collect();
        total += values.len();
        quantise(&values, &mut numbers);
        named.push((name.to_string(), view.shape().to_vec()));
    }
    if total > MOST_VALUES {
        return Err(Error::Setting(format!(
            "{total} numbers are too many for a link, which takes {MOST_VALUES}: send the file"
        )));
    }
    let meta = Meta {
        header,
        tensors: named,
    };
    let json = serde_json::to_vec(&meta).map_err(|e| broken(e.to_string()))?;
    let mut bytes = (json.len() as u32).to_le_bytes().to_vec();
    bytes.extend(json);
    bytes.extend(numbers);
    let sum = Sha256::digest(&bytes);
    bytes.extend(&sum[..CHECKSUM]);
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
    let packed = deflate
        .write_all(&bytes)
        .and_then(|()| deflate.finish())
        .map_err(|e| broken(e.to_string()))?;
    Ok(format!("{VERSION}{}", URL_SAFE_NO_PAD.encode(packed)))
}

/// The bytes of an adapter file out of such a text; whatever is wrong with it is an error, and
/// nothing is allocated on its word alone.
pub fn from_text(text: &str) -> Result<Vec<u8>> {
    let Some(text) = text.trim().strip_prefix(VERSION) else {
        let version = text.split('.').next().unwrap_or_default();
        let version: String = version.chars().take(12).collect();
        return Err(broken(format!(
            "has version `{version}`, this program reads version 1: reload the page or update it"
        )));
    };
    let packed = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|e| broken(format!("is not whole ({e}): copy it again")))?;
    let mut bytes = Vec::new();
    let mut inflate = DeflateDecoder::new(&packed[..]).take(MOST_BYTES as u64 + 1);
    inflate
        .read_to_end(&mut bytes)
        .map_err(|e| broken(format!("does not unpack ({e}): copy it again")))?;
    if bytes.len() > MOST_BYTES {
        return Err(broken("unpacks to more than an adapter can hold"));
    }
    unpack(&bytes)
}

fn unpack(bytes: &[u8]) -> Result<Vec<u8>> {
    let end = bytes.len().checked_sub(CHECKSUM);
    let (body, sum) = bytes.split_at(end.ok_or_else(|| broken("is cut short: copy it again"))?);
    if Sha256::digest(body)[..CHECKSUM] != *sum {
        return Err(broken("has a wrong checksum: copy it again"));
    }
    let (length, rest) = body
        .split_first_chunk::<4>()
        .ok_or_else(|| broken("is cut short: copy it again"))?;
    let length = u32::from_le_bytes(*length) as usize;
    let (json, mut numbers) = rest
        .split_at_checked(length)
        .ok_or_else(|| broken("is cut short: copy it again"))?;
    let meta: Meta = serde_json::from_slice(json)
        .map_err(|e| broken(format!("has an unreadable header ({e})")))?;
    let mut tensors = Vec::with_capacity(meta.tensors.len());
    let mut names = BTreeSet::new();
    for (name, shape) in meta.tensors {
        // A safetensors file of two such could be written and not be read.
        if !names.insert(name.clone()) {
            return Err(Error::tensor(LINK, &name, "stands there twice"));
        }
        let count = shape
            .iter()
            .try_fold(1usize, |all, &size| all.checked_mul(size));
        let values = count.and_then(|count| dequantise(&mut numbers, count));
        let values = values.ok_or_else(|| {
            Error::tensor(LINK, &name, format!("has fewer numbers than {shape:?}"))
        })?;
        tensors.push((name, shape, values));
    }
    if !numbers.is_empty() {
        return Err(broken(format!("has {} bytes too many", numbers.len())));
    }
    write(&tensors, meta.header.metadata()?)
}

/// Appends scales and rounded values.
fn quantise(values: &[f32], out: &mut Vec<u8>) {
    let blocks = values.chunks(BLOCK);
    let largest = |block: &[f32]| block.iter().fold(0f32, |most, v| most.max(v.abs()));
    let scales: Vec<f32> = blocks.clone().map(|block| largest(block) / 127.0).collect();
    out.extend(scales.iter().flat_map(|scale| scale.to_le_bytes()));
    for (block, scale) in blocks.zip(&scales) {
        let scale = if *scale > 0.0 { *scale } else { 1.0 };
        out.extend(block.iter().map(|v| (v / scale).round() as i8 as u8));
    }
}

/// Takes `count` values off the front, as the bytes of f32; `None` if they are not there.
fn dequantise(numbers: &mut &[u8], count: usize) -> Option<Vec<u8>> {
    let scales = count.div_ceil(BLOCK).checked_mul(4)?;
    let (scales, rest) = numbers.split_at_checked(scales)?;
    let (values, rest) = rest.split_at_checked(count)?;
    *numbers = rest;
    let mut bytes = Vec::with_capacity(4 * count);
    for (block, scale) in values.chunks(BLOCK).zip(scales.chunks_exact(4)) {
        let scale = f32::from_le_bytes([scale[0], scale[1], scale[2], scale[3]]);
        for value in block {
            bytes.extend((f32::from(*value as i8) * scale).to_le_bytes());
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;
    use crate::t5::T5Config;

    /// A file of two tensors with values of very different sizes.
    fn adapter() -> (Vec<u8>, Vec<f32>) {
        let config = T5Config::from_json(compacter_assets::CONFIG, "config.json").unwrap();
        let method = Method::preset("compacter++", &config).unwrap();
        let mut stream = Stream::new(3, "share");
        let values: Vec<f32> = (0..200)
            .map(|i| stream.normal() as f32 * if i < 100 { 1e-3 } else { 10.0 })
            .collect();
        let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let tensors = [
            ("a".to_string(), vec![10, 10], bytes(&values[..100])),
            ("b".to_string(), vec![100], bytes(&values[100..])),
        ];
        let mut header = Header::new(method, config);
        header.labels = vec!["bad".into(), "good".into()];
        (write(&tensors, header.metadata().unwrap()).unwrap(), values)
    }
    use crate::method::Method;

    fn values(file: &[u8]) -> Vec<f32> {
        let file = SafeTensors::deserialize(file).unwrap();
        ["a", "b"]
            .iter()
            .flat_map(|name| file.tensor(name).unwrap().data().to_vec())
            .collect::<Vec<u8>>()
            .chunks_exact(4)
            .map(|c| f32::from_le_bytes([c[0], c[1], c[2], c[3]]))
            .collect()
    }

    #[test]
    fn a_link_gives_the_adapter_back_to_eight_bits() {
        let (file, want) = adapter();
        let text = to_text(&file).unwrap();
        assert!(text.len() < 3 * file.len() / 2, "{} characters", text.len());
        let back = from_text(&text).unwrap();
        let same = |file| Header::read(file, "file").unwrap();
        assert_eq!(same(&file), same(&back));
        let got = values(&back);
        for (block, (want, got)) in want.chunks(BLOCK).zip(got.chunks(BLOCK)).enumerate() {
            let most = want.iter().fold(0f32, |most, v| most.max(v.abs()));
            for (want, got) in want.iter().zip(got) {
                assert!((want - got).abs() <= 10.0 * most / 127.0, "block {block}");
            }
        }
        assert!(
            (got[150] - want[150]).abs() < 0.2,
            "{} {}",
            got[150],
            want[150]
        );
    }

    #[test]
    fn a_changed_or_cut_link_is_refused() {
        let text = to_text(&adapter().0).unwrap();
        for at in 2..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = String::from_utf8(other).unwrap();
            let last = at + 1 == text.len(); // its low bits may be padding
            assert!(last || from_text(&other).is_err(), "changed at {at}");
            assert!(from_text(&text[..at]).is_err(), "cut at {at}");
        }
        let error = from_text("2.AAAA").unwrap_err().to_string();
        assert!(error.contains("version `2`"), "{error}");
    }

    /// A link whose checksum is right but whose words are not.
    fn forged(json: &str, numbers: &[u8]) -> String {
        let mut bytes = (json.len() as u32).to_le_bytes().to_vec();
        bytes.extend(json.as_bytes());
        bytes.extend(numbers);
        let sum = Sha256::digest(&bytes);
        bytes.extend(&sum[..CHECKSUM]);
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::best());
        deflate.write_all(&bytes).unwrap();
        format!("1.{}", URL_SAFE_NO_PAD.encode(deflate.finish().unwrap()))
    }

    #[test]
    fn a_hostile_link_allocates_nothing_on_its_word() {
        let header = Header::read(&adapter().0, "file").unwrap();
        let header = serde_json::to_string(&header).unwrap();
        let huge = format!(r#"{{"header":{header},"tensors":[["a",[4294967296,4294967296]]]}}"#);
        let error = from_text(&forged(&huge, &[0; 80])).unwrap_err().to_string();
        assert!(error.contains("fewer numbers"), "{error}");
        let large = format!(r#"{{"header":{header},"tensors":[["a",[1099511627776]]]}}"#);
        assert!(from_text(&forged(&large, &[0; 80])).is_err());
        let twice = format!(r#"{{"header":{header},"tensors":[["a",[1]],["a",[1]]]}}"#);
        let error = from_text(&forged(&twice, &[0; 10]))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "the link: tensor `a`: stands there twice");
        let bomb = forged("{}", &vec![0; 40 << 20]);
        let error = from_text(&bomb).unwrap_err().to_string();
        assert!(error.contains("more than an adapter"), "{error}");
    }

    #[test]
    fn what_is_too_long_for_a_link_goes_by_file() {
        let values = vec![0u8; 4 * (MOST_VALUES + 1)];
        let header = Header::read(&adapter().0, "file").unwrap();
        let tensors = [("a".to_string(), vec![MOST_VALUES + 1], values)];
        let file = write(&tensors, header.metadata().unwrap()).unwrap();
        let error = to_text(&file).unwrap_err().to_string();
        assert!(error.contains("send the file"), "{error}");
    }
}
