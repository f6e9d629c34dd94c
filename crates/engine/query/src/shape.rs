//! The JSON of a column as OpenAPI describes it: it follows from the column's Rust type.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use utoipa::ToSchema;
use utoipa::openapi::schema::{
    Array, KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{Object, Ref, RefOr};
use uuid::Uuid;

use crate::word::Word;

/// Schemas by their names.
pub type Components = Vec<(String, RefOr<Schema>)>;

/// The JSON of a column.
#[derive(Clone, Copy)]
pub struct Shape {
    /// The schema of the column.
    pub schema: fn() -> RefOr<Schema>,
    /// Adds the schemas that it refers to.
    pub components: fn(&mut Components),
}

impl Shape {
    pub(crate) const fn of<S: Shaped>() -> Self {
        Self {
            schema: S::schema,
            components: S::components,
        }
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Shape")
    }
}

/// A Rust type with a known JSON. A struct that derives [`ToSchema`] becomes one with
/// [`shapes!`](crate::shapes!).
pub trait Shaped {
    /// Its schema.
    fn schema() -> RefOr<Schema>;

    /// Adds the schemas that it refers to.
    fn components(_: &mut Components) {}
}

macro_rules! scalars {
    ($($rust:ty => $kind:ident $($format:ident)?,)+) => {
        $(
            impl Shaped for $rust {
                fn schema() -> RefOr<Schema> {
                    ObjectBuilder::new()
                        .schema_type(Type::$kind)
                        $(.format(Some(SchemaFormat::KnownFormat(KnownFormat::$format))))?
                        .into()
                }
            }
        )+
    };
}

scalars! {
    i64 => Integer Int64,
    bool => Boolean,
    i32 => Integer Int32,
    String => String,
    NaiveDate => String Date,
    DateTime<Utc> => String DateTime,
    Uuid => String Uuid,
}

impl<T: Shaped> Shaped for Vec<T> {
    fn schema() -> RefOr<Schema> {
        Array::new(T::schema()).into()
    }

    fn components(components: &mut Components) {
        T::components(components);
    }
}

impl<T: Shaped> Shaped for Option<T> {
    fn schema() -> RefOr<Schema> {
        match T::schema() {
            RefOr::T(Schema::Object(mut object)) => {
                if let SchemaType::Type(kind) = object.schema_type {
                    object.schema_type = SchemaType::from_iter([kind, Type::Null]);
                }
                object.into()
            }
            other => OneOfBuilder::new()
                .item(Object::with_type(Type::Null))
                .item(other)
                .into(),
        }
    }

    fn components(components: &mut Components) {
        T::components(components);
    }
}

impl<T: ToSchema> Shaped for Word<T> {
    fn schema() -> RefOr<Schema> {
        Ref::from_schema_name(T::name()).into()
    }

    fn components(components: &mut Components) {
        components.push((T::name().into_owned(), T::schema()));
    }
}

/// Makes structs that derive [`ToSchema`](utoipa::ToSchema) shapes of columns. The crate that uses it depends on `utoipa`.
#[macro_export]
macro_rules! shapes {
    ($($shape:ty),+ $(,)?) => {
        $(
            impl $crate::shape::Shaped for $shape {
                fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::Schema> {
                    let name = <$shape as ::utoipa::ToSchema>::name();
                    ::utoipa::openapi::Ref::from_schema_name(name).into()
                }

                fn components(components: &mut $crate::shape::Components) {
                    let name = <$shape as ::utoipa::ToSchema>::name().into_owned();
                    components.push((name, <$shape as ::utoipa::PartialSchema>::schema()));
                    <$shape as ::utoipa::ToSchema>::schemas(components);
                }
            }
        )+
    };
}
