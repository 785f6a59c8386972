//! The other half of [`mod@super::encode`]: total on untrusted bytes, never more memory than the bytes account for.

use alloc::borrow::Cow;
use alloc::string::ToString as _;
use core::fmt;
use serde::de::{self, Deserialize, DeserializeSeed, Visitor};

/// Why bytes are not what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(Cow<'static, str>);

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(message: T) -> DecodeError {
        DecodeError(Cow::Owned(message.to_string()))
    }
}

pub(super) const fn error(what: &'static str) -> DecodeError {
    DecodeError(Cow::Borrowed(what))
}

/// Decodes all of `bytes`.
///
/// # Errors
/// When they are not exactly one encoded value.
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    let mut decoder = Decoder { rest: bytes };
    let value = T::deserialize(&mut decoder)?;
    if decoder.rest.is_empty() { Ok(value) } else { Err(error("bytes are left over")) }
}

/// Takes a LEB128 number off the front of `rest`.
pub(super) fn varint(rest: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, tail) = rest.split_first().ok_or(error("the bytes end early"))?;
        *rest = tail;
        let bits = u64::from(byte & 0x7f);
        if (bits << shift) >> shift != bits {
            return Err(error("a number is too large"));
        }
        number |= bits << shift;
        if *byte < 0x80 {
            return Ok(number);
        }
    }
    Err(error("a number is too long"))
}

struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (byte, tail) = self.rest.split_first().ok_or(error("the bytes end early"))?;
        self.rest = tail;
        Ok(*byte)
    }

    fn number<N: TryFrom<u64>>(&mut self) -> Result<N, DecodeError> {
        N::try_from(varint(&mut self.rest)?).map_err(|_| error("a number is out of range"))
    }

    fn signed<N: TryFrom<i64>>(&mut self) -> Result<N, DecodeError> {
        let number = varint(&mut self.rest)?;
        let value = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        N::try_from(value).map_err(|_| error("a number is out of range"))
    }

    fn taken(&mut self) -> Result<&'a [u8], DecodeError> {
        let length: usize = self.number()?;
        let (taken, tail) = self.rest.split_at_checked(length).ok_or(error("the bytes end early"))?;
        self.rest = tail;
        Ok(taken)
    }

    fn text(&mut self) -> Result<&'a str, DecodeError> {
        core::str::from_utf8(self.taken()?).map_err(|_| error("text is not UTF-8"))
    }

    fn flag(&mut self) -> Result<bool, DecodeError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(error("neither yes nor no")),
        }
    }
}

macro_rules! integers {
    ($($name:ident $visit:ident $how:ident;)*) => {$(
        fn $name<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            visitor.$visit(self.$how()?)
        }
    )*};
}

macro_rules! unknown {
    ($($name:ident;)*) => {$(
        fn $name<V: Visitor<'a>>(self, _visitor: V) -> Result<V::Value, DecodeError> {
            Err(error("a type that recordings do not hold"))
        }
    )*};
}

impl<'a> de::Deserializer<'a> for &mut Decoder<'a> {
    type Error = DecodeError;

    integers! {
        deserialize_bool visit_bool flag;
        deserialize_u8 visit_u8 byte;
        deserialize_u16 visit_u16 number;
        deserialize_u32 visit_u32 number;
        deserialize_u64 visit_u64 number;
        deserialize_i8 visit_i8 signed;
        deserialize_i16 visit_i16 signed;
        deserialize_i32 visit_i32 signed;
        deserialize_i64 visit_i64 signed;
        deserialize_str visit_borrowed_str text;
        deserialize_string visit_borrowed_str text;
        deserialize_bytes visit_borrowed_bytes taken;
        deserialize_byte_buf visit_borrowed_bytes taken;
        deserialize_identifier visit_u32 number;
    }

    unknown! {
        deserialize_any;
        deserialize_ignored_any;
        // serde's trait names floats; nothing of a node is one, and none comes out.
        deserialize_f32;
        deserialize_f64;
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_char<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let number: u32 = self.number()?;
        visitor.visit_char(char::from_u32(number).ok_or(error("not a character"))?)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.flag()? { visitor.visit_some(self) } else { visitor.visit_none() }
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let left = self.number()?;
        visitor.visit_seq(Elements { decoder: self, left })
    }

    fn deserialize_tuple<V: Visitor<'a>>(self, length: usize, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_seq(Elements { decoder: self, left: length })
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(length, visitor)
    }

    fn deserialize_map<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let left = self.number()?;
        visitor.visit_map(Elements { decoder: self, left })
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_enum(self)
    }
}

struct Elements<'d, 'a> {
    decoder: &'d mut Decoder<'a>,
    left: usize,
}

impl<'a> de::SeqAccess<'a> for Elements<'_, 'a> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        // An element has at least one byte, but for units, of which no recording holds a list.
        Some(self.left.min(self.decoder.rest.len()))
    }
}

impl<'a> de::MapAccess<'a> for Elements<'_, 'a> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, DecodeError> {
        de::SeqAccess::next_element_seed(self, seed)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, DecodeError> {
        seed.deserialize(&mut *self.decoder)
    }
}

impl<'a> de::EnumAccess<'a> for &mut Decoder<'a> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self), DecodeError> {
        let variant = seed.deserialize(&mut *self)?;
        Ok((variant, self))
    }
}

impl<'a> de::VariantAccess<'a> for &mut Decoder<'a> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value, DecodeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'a>>(self, length: usize, visitor: V) -> Result<V::Value, DecodeError> {
        de::Deserializer::deserialize_tuple(self, length, visitor)
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        de::Deserializer::deserialize_tuple(self, fields.len(), visitor)
    }
}
