//! Anything serde into few bytes: variable-length integers, no names, no types; [`mod@super::decode`] is the other half.
//!
//! Integers are LEB128 (signed ones zigzag), octets stay octets, sequences have their length in front, structs are
//! their fields in order. With a [`Key`], secrets are replaced on the way: every place that may hold one is told by
//! the name of its type, here and nowhere else.

use super::redact::Key;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use core::fmt;
use serde::ser::{self, Serialize};

/// Why something cannot be encoded: a type that no input, action or node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncodeError(String);

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for EncodeError {}

impl ser::Error for EncodeError {
    fn custom<T: fmt::Display>(message: T) -> EncodeError {
        EncodeError(message.to_string())
    }
}

/// Appends `value` to `out`, with its secrets replaced if there is a key.
///
/// # Errors
/// For floats, 128-bit integers and sequences of unknown length, which nothing of a node holds.
pub fn encode<T: Serialize + ?Sized>(
    value: &T,
    key: Option<&Key>,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    value.serialize(&mut Encoder { out, key, secret: false })
}

/// Appends `number` as LEB128.
pub(super) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

struct Encoder<'a> {
    out: &'a mut Vec<u8>,
    key: Option<&'a Key>,
    /// Texts are secrets here.
    secret: bool,
}

impl Encoder<'_> {
    fn length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let length = length.ok_or_else(|| EncodeError("a sequence of unknown length".to_string()))?;
        varint(length as u64, self.out);
        Ok(())
    }

    fn variant(&mut self, index: u32) {
        varint(u64::from(index), self.out);
    }
}

/// What is being encoded, field by field.
struct Fields<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    of: Of,
    /// How many have been encoded.
    done: usize,
    /// Where the sender's address is in the output: its first octet tells the family.
    from: usize,
}

/// Structs that are not encoded as they are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Nothing special.
    Plain,
    /// `Input::Packet`, `Action::Advertise`.
    Packet,
    /// `HttpProbe`: its headers and body may hold credentials, which the node passes on without a look.
    Http,
    /// Name and value of a header: the value is the secret.
    Pair,
}

impl<'e, 'a> Fields<'e, 'a> {
    fn new(encoder: &'e mut Encoder<'a>, of: Of) -> Fields<'e, 'a> {
        Fields { encoder, of, done: 0, from: 0 }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        let nth = self.done;
        self.done += 1;
        if self.of == Of::Pair {
            let secret = core::mem::replace(&mut self.encoder.secret, nth > 0);
            value.serialize(&mut *self.encoder)?;
            self.encoder.secret = secret;
            return Ok(());
        }
        value.serialize(&mut *self.encoder)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), EncodeError> {
        let start = self.encoder.out.len();
        match (self.of, name) {
            (Of::Http, "headers" | "body") => {
                let secret = core::mem::replace(&mut self.encoder.secret, true);
                value.serialize(&mut *self.encoder)?;
                self.encoder.secret = secret;
            }
            (Of::Packet, "payload") => {
                value.serialize(&mut *self.encoder)?;
                let is_ipv6 = self.encoder.out.get(self.from) == Some(&1);
                if let (Some(key), Some(field)) = (self.encoder.key, self.encoder.out.get_mut(start..)) {
                    let length_ends = field.iter().position(|byte| *byte < 0x80).map_or(0, |at| at + 1);
                    if let Some(payload) = field.get_mut(length_ends..) {
                        key.replace_in_packet(payload, is_ipv6);
                    }
                }
            }
            (Of::Packet, "from") => {
                self.from = start;
                value.serialize(&mut *self.encoder)?;
            }
            (Of::Plain | Of::Packet | Of::Http | Of::Pair, _) => value.serialize(&mut *self.encoder)?,
        }
        Ok(())
    }
}

macro_rules! integers {
    ($($name:ident($type:ty) $signed:expr;)*) => {$(
        fn $name(self, value: $type) -> Result<(), EncodeError> {
            varint($signed(value), self.out);
            Ok(())
        }
    )*};
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

impl<'e, 'a> ser::Serializer for &'e mut Encoder<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Fields<'e, 'a>;
    type SerializeTuple = Fields<'e, 'a>;
    type SerializeTupleStruct = Fields<'e, 'a>;
    type SerializeTupleVariant = Fields<'e, 'a>;
    type SerializeMap = Fields<'e, 'a>;
    type SerializeStruct = Fields<'e, 'a>;
    type SerializeStructVariant = Fields<'e, 'a>;

    integers! {
        serialize_u16(u16) u64::from;
        serialize_u32(u32) u64::from;
        serialize_u64(u64) u64::from;
        serialize_i8(i8) |value| zigzag(i64::from(value));
        serialize_i16(i16) |value| zigzag(i64::from(value));
        serialize_i32(i32) |value| zigzag(i64::from(value));
        serialize_i64(i64) zigzag;
        serialize_char(char) |value| u64::from(u32::from(value));
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.out.push(u8::from(value));
        Ok(())
    }

    fn serialize_u8(self, value: u8) -> Result<(), EncodeError> {
        self.out.push(value);
        Ok(())
    }

    // serde's trait names floats; nothing of a node is one, and none gets in.
    fn serialize_f32(self, _value: f32) -> Result<(), EncodeError> {
        Err(EncodeError("a float".to_string()))
    }

    fn serialize_f64(self, _value: f64) -> Result<(), EncodeError> {
        Err(EncodeError("a float".to_string()))
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        match self.key {
            Some(key) if self.secret => self.serialize_bytes(key.text(value).as_bytes()),
            Some(_) | None => self.serialize_bytes(value.as_bytes()),
        }
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EncodeError> {
        varint(value.len() as u64, self.out);
        self.out.extend_from_slice(value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.serialize_u8(0)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        self.out.push(1);
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<(), EncodeError> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Result<(), EncodeError> {
        self.variant(index);
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        // What a check says to a server may be a password (`AUTH`).
        let secret = self.secret;
        self.secret |= name == "Said";
        value.serialize(&mut *self)?;
        self.secret = secret;
        Ok(())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        _variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.variant(index);
        let start = self.out.len();
        value.serialize(&mut *self)?;
        if let ("Authentication", Some(key), Some(password)) = (name, self.key, self.out.get_mut(start..)) {
            key.replace(password);
        }
        Ok(())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Fields<'e, 'a>, EncodeError> {
        self.length(length)?;
        Ok(Fields::new(self, Of::Plain))
    }

    fn serialize_tuple(self, _length: usize) -> Result<Fields<'e, 'a>, EncodeError> {
        let of = if self.secret { Of::Pair } else { Of::Plain };
        Ok(Fields::new(self, of))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Fields<'e, 'a>, EncodeError> {
        Ok(Fields::new(self, Of::Plain))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        index: u32,
        _variant: &'static str,
        _length: usize,
    ) -> Result<Fields<'e, 'a>, EncodeError> {
        self.variant(index);
        Ok(Fields::new(self, Of::Plain))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Fields<'e, 'a>, EncodeError> {
        self.length(length)?;
        Ok(Fields::new(self, Of::Plain))
    }

    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<Fields<'e, 'a>, EncodeError> {
        let of = if name == "HttpProbe" { Of::Http } else { Of::Plain };
        Ok(Fields::new(self, of))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Fields<'e, 'a>, EncodeError> {
        self.variant(index);
        let of = match (name, variant) {
            ("Input", "Packet") | ("Action", "Advertise") => Of::Packet,
            _ => Of::Plain,
        };
        Ok(Fields::new(self, of))
    }
}

macro_rules! elements {
    ($($trait:ident::$method:ident;)*) => {$(
        impl ser::$trait for Fields<'_, '_> {
            type Ok = ();
            type Error = EncodeError;
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
                self.element(value)
            }
            fn end(self) -> Result<(), EncodeError> {
                Ok(())
            }
        }
    )*};
}

elements! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! fields {
    ($($trait:ident;)*) => {$(
        impl ser::$trait for Fields<'_, '_> {
            type Ok = ();
            type Error = EncodeError;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), EncodeError> {
                self.field(name, value)
            }
            fn end(self) -> Result<(), EncodeError> {
                Ok(())
            }
        }
    )*};
}

fields! {
    SerializeStruct;
    SerializeStructVariant;
}

impl ser::SerializeMap for Fields<'_, '_> {
    type Ok = ();
    type Error = EncodeError;
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.element(key)
    }
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.element(value)
    }
    fn end(self) -> Result<(), EncodeError> {
        Ok(())
    }
}
