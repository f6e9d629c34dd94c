//! A column: its type in the table follows from its Rust type.

use std::fmt;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use tokio_postgres::types::{IsNull, Json, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::shape::{Shape, Shaped};
use crate::word::Word;

/// A column of a resource.
#[derive(Debug)]
pub struct Column {
    /// Name in the table, in answers and in `fields`.
    pub name: &'static str,
    /// What it means, in a sentence.
    pub description: &'static str,
    /// Who may see it.
    pub visibility: Visibility,
    /// Its JSON in answers.
    pub shape: Shape,
    /// Its type in the table; none for a column that is computed when it is read.
    pub stored: Option<SqlType>,
    /// The column that it is shown after, if it is computed.
    pub(crate) after: Option<&'static str>,
    pub(crate) sql: &'static str,
}

/// Who may see a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Every reader who may see the row.
    Shown,
    /// Every reader who may see the row and names the column in `fields`.
    OnRequest,
    /// No reader: filters, sorts and the projector use it.
    Internal,
}

impl Column {
    /// A column of the table with values of type `T`, shown as JSON of the shape `S`.
    pub const fn stored<T: ColumnValue, S: Shaped>(
        name: &'static str,
        visibility: Visibility,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            description,
            visibility,
            shape: Shape::of::<S>(),
            stored: Some(T::TYPE),
            after: None,
            sql: name,
        }
    }

    /// An expression, shown as JSON of the shape `S` after the column of that name.
    pub const fn computed<S: Shaped>(
        name: &'static str,
        after: &'static str,
        sql: &'static str,
        description: &'static str,
    ) -> Self {
        Self {
            name,
            description,
            visibility: Visibility::Shown,
            shape: Shape::of::<S>(),
            stored: None,
            after: Some(after),
            sql,
        }
    }

    /// The same, only where `fields` names it.
    #[must_use]
    pub const fn on_request(self) -> Self {
        Self {
            visibility: Visibility::OnRequest,
            ..self
        }
    }
}

/// A type in Postgres.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SqlType {
    /// What it is, or what its elements are.
    pub scalar: Scalar,
    /// It is an array.
    pub array: bool,
    /// It may be null.
    pub nullable: bool,
}

/// A type in Postgres that is no array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// `bigint`
    BigInt,
    /// `boolean`
    Boolean,
    /// `date`
    Date,
    /// `integer`
    Integer,
    /// `jsonb`
    Jsonb,
    /// `text`
    Text,
    /// `timestamptz`
    Timestamptz,
    /// `uuid`
    Uuid,
}

impl SqlType {
    const fn of(scalar: Scalar) -> Self {
        Self {
            scalar,
            array: false,
            nullable: false,
        }
    }

    /// Its name in SQL.
    pub fn name(self) -> String {
        let scalar = match self.scalar {
            Scalar::BigInt => "bigint",
            Scalar::Boolean => "boolean",
            Scalar::Date => "date",
            Scalar::Integer => "integer",
            Scalar::Jsonb => "jsonb",
            Scalar::Text => "text",
            Scalar::Timestamptz => "timestamptz",
            Scalar::Uuid => "uuid",
        };
        format!("{scalar}{}", if self.array { "[]" } else { "" })
    }

    /// The driver's type.
    pub(crate) fn driver(self) -> Type {
        match (self.scalar, self.array) {
            (Scalar::BigInt, false) => Type::INT8,
            (Scalar::BigInt, true) => Type::INT8_ARRAY,
            (Scalar::Boolean, false) => Type::BOOL,
            (Scalar::Boolean, true) => Type::BOOL_ARRAY,
            (Scalar::Date, false) => Type::DATE,
            (Scalar::Date, true) => Type::DATE_ARRAY,
            (Scalar::Integer, false) => Type::INT4,
            (Scalar::Integer, true) => Type::INT4_ARRAY,
            (Scalar::Jsonb, false) => Type::JSONB,
            (Scalar::Jsonb, true) => Type::JSONB_ARRAY,
            (Scalar::Text, false) => Type::TEXT,
            (Scalar::Text, true) => Type::TEXT_ARRAY,
            (Scalar::Timestamptz, false) => Type::TIMESTAMPTZ,
            (Scalar::Timestamptz, true) => Type::TIMESTAMPTZ_ARRAY,
            (Scalar::Uuid, false) => Type::UUID,
            (Scalar::Uuid, true) => Type::UUID_ARRAY,
        }
    }
}

/// A Rust type that a column can have.
pub trait ColumnValue {
    /// The column's type.
    const TYPE: SqlType;

    /// The value as the driver sends it.
    fn bound(&self) -> Bound<'_>;
}

macro_rules! scalars {
    ($($rust:ty => $scalar:ident,)+) => {
        $(
            impl ColumnValue for $rust {
                const TYPE: SqlType = SqlType::of(Scalar::$scalar);

                fn bound(&self) -> Bound<'_> {
                    Bound::Value(self)
                }
            }

            impl ColumnValue for Vec<$rust> {
                const TYPE: SqlType = SqlType {
                    array: true,
                    ..SqlType::of(Scalar::$scalar)
                };

                fn bound(&self) -> Bound<'_> {
                    Bound::Value(self)
                }
            }
        )+
    };
}

scalars! {
    i64 => BigInt,
    bool => Boolean,
    NaiveDate => Date,
    i32 => Integer,
    String => Text,
    DateTime<Utc> => Timestamptz,
    Uuid => Uuid,
}

/// JSON that is only shown: no statement looks into it.
impl<T: Serialize + fmt::Debug + Sync> ColumnValue for Json<T> {
    const TYPE: SqlType = SqlType::of(Scalar::Jsonb);

    fn bound(&self) -> Bound<'_> {
        Bound::Value(self)
    }
}

impl<T: ColumnValue> ColumnValue for Option<T> {
    const TYPE: SqlType = SqlType {
        nullable: true,
        ..T::TYPE
    };

    fn bound(&self) -> Bound<'_> {
        self.as_ref().map_or(Bound::Null, T::bound)
    }
}

impl<T: Copy + Into<&'static str>> ColumnValue for Word<T> {
    const TYPE: SqlType = SqlType::of(Scalar::Text);

    fn bound(&self) -> Bound<'_> {
        Bound::Text(self.0.into())
    }
}

/// A value on its way into a statement. `Debug`, which the driver asks for, shows none: rows hold personal data.
pub enum Bound<'a> {
    /// As it stands.
    Value(&'a (dyn ToSql + Sync)),
    /// A text.
    Text(&'static str),
    /// Nothing.
    Null,
}

impl fmt::Debug for Bound<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }
}

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        sql_type: &Type,
        out: &mut tokio_postgres::types::private::BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            // Checked here, since this type accepts all.
            Self::Value(value) => value.to_sql_checked(sql_type, out),
            Self::Text(text) => text.to_sql_checked(sql_type, out),
            Self::Null => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
