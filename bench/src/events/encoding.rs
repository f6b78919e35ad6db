//! How the two formats write a value.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::template::Value;

/// A format of values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Encoding {
    Json,
    Avro,
}

impl Encoding {
    pub(super) fn write(self, out: &mut Vec<u8>, value: &Value) {
        match (self, value) {
            (Self::Json, Value::Text(text)) => json_text(out, text),
            (Self::Json, Value::Long(number)) => out.extend_from_slice(number.to_string().as_bytes()),
            (Self::Json, Value::Decimal(unscaled)) => json_text(out, &STANDARD.encode(two_s_complement(*unscaled))),
            (Self::Avro, Value::Text(text)) => avro_bytes(out, text.as_bytes()),
            (Self::Avro, Value::Long(number)) => avro_long(out, *number),
            (Self::Avro, Value::Decimal(unscaled)) => avro_bytes(out, &two_s_complement(*unscaled)),
        }
    }
}

fn json_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

fn avro_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    avro_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// Zigzag, then seven bits a byte.
fn avro_long(out: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)) as u64;
    while rest > 0x7F {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The shortest form, as Java's `BigInteger.toByteArray`.
fn two_s_complement(number: i64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let sign = if number < 0 { 0xFF } else { 0 };
    let spare = (0..7).take_while(|&at| bytes[at] == sign && (bytes[at + 1] ^ sign) & 0x80 == 0).count();
    bytes[spare..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_as_short_as_in_java() {
        assert_eq!(two_s_complement(0), [0]);
        assert_eq!(two_s_complement(127), [127]);
        assert_eq!(two_s_complement(128), [0, 128]);
        assert_eq!(two_s_complement(1050), [4, 26]);
        assert_eq!(two_s_complement(-1), [255]);
        assert_eq!(two_s_complement(-129), [255, 127]);
    }

    #[test]
    fn avro_numbers_are_zigzag() {
        let written = |number| {
            let mut out = Vec::new();
            avro_long(&mut out, number);
            out
        };
        assert_eq!([written(0), written(-1), written(63), written(64)].concat(), [0, 1, 126, 128, 1]);
    }
}
