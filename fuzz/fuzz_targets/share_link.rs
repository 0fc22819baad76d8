//! The text of a link: as it stands, and as what it holds once it is unpacked, with a checksum that
//! is right, which no mutation would find.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use compacter_core::artifact::{Header, from_text, to_text};
use compacter_fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};

/// JSON up to the first zero byte, then numbers.
fn packed(data: &[u8]) -> Option<String> {
    let (json, numbers) = compacter_fuzz::two(data);
    let mut bytes = (json.len() as u32).to_le_bytes().to_vec();
    bytes.extend(json);
    bytes.extend(numbers);
    let sum = Sha256::digest(&bytes);
    bytes.extend(&sum[..8]);
    // One block as it is, which spares the time for packing.
    let length = u16::try_from(bytes.len()).ok()?;
    let head = [&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes()].concat();
    let text = URL_SAFE_NO_PAD.encode([head, bytes].concat());
    Some(format!("1.{text}"))
}

fuzz_target!(|data: &[u8]| bounded(|| {
    let _ = std::str::from_utf8(data).map(from_text);
    if let Some(Ok(adapter)) = packed(data).map(|text| from_text(&text)) {
        let _ = Header::read(&adapter, "link").map(|header| header.method.added(&header.base));
        let _ = to_text(&adapter);
    }
}));
