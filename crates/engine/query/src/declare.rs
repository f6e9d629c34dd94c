//! The declaration of a resource.

/// Declares a table and the resource that readers see of it: the struct of a row, and a [`Resource`](crate::Resource).
///
/// It expands to nothing else than the struct with one field a column, an implementation of
/// [`Row`](crate::table::Row) that lists the fields once, and a `static` with the declarations as they stand. Statements,
/// parameters and OpenAPI are made from that `static` by plain functions.
///
/// - `example`: a row as JSON, for the documentation.
/// - `columns`: name, Rust type, who may see it, and what it means. A JSON column says its shape with `as`. A table needs
///   the columns `version` and `position`.
/// - `computed`: an expression that is shown after a column, with its shape.
/// - `on_request`: the same, only where `fields` names it. May be left out.
/// - `sorts` and `filters`: constant expressions of [`Sort`](crate::Sort) and [`Filter`](crate::Filter).
///
/// The crate that uses it depends on `serde`. The README has an example.
#[macro_export]
macro_rules! resource {
    (
        $(#[$row_attribute:meta])*
        row $row:ident;

        $(#[doc = $description:literal])+
        resource $resource:ident = $name:literal {
            schema: $schema:literal,
            projection: $projection:expr,
            table: $table:literal,
            key: $key:ident,
            audience: $audience:ident,
            default: $direction:ident,
            example: $example:expr $(,)?
        }

        columns {
            $($column:ident: $type:ty $(as $shape:ty)?, $visibility:ident, $says:literal;)+
        }

        computed {
            $($computed:ident after $after:ident: $computed_shape:ty = $sql:expr, $computed_says:literal;)*
        }

        $(on_request {
            $($asked:ident after $asked_after:ident: $asked_shape:ty = $asked_sql:expr, $asked_says:literal;)*
        })?

        sorts { $($sort:expr;)+ }

        filters { $($filter:expr;)* }
    ) => {
        $(#[$row_attribute])*
        #[derive(Clone, ::serde::Serialize, ::serde::Deserialize)]
        pub struct $row {
            $(#[doc = $says] pub $column: $type,)+
        }

        impl $crate::table::Row for $row {
            fn table() -> &'static $crate::table::Table {
                static TABLE: ::std::sync::LazyLock<$crate::table::Table> =
                    ::std::sync::LazyLock::new(|| $crate::table::Table::of(&$resource));
                &TABLE
            }

            fn id(&self) -> $crate::__private::Uuid {
                self.$key
            }

            fn position(&self) -> i64 {
                self.position
            }

            fn stamp(&mut self, version: i64, position: i64) {
                (self.version, self.position) = (version, position);
            }

            fn values(&self) -> Vec<$crate::column::Bound<'_>> {
                vec![$($crate::column::ColumnValue::bound(&self.$column)),+]
            }
        }

        $(#[doc = $description])+
        pub static $resource: $crate::Resource = $crate::Resource {
            name: $name,
            schema: $schema,
            description: concat!($($description),+),
            projection: $projection,
            table: $table,
            key: stringify!($key),
            audience: $crate::Audience::$audience,
            columns: &[$(
                $crate::Column::stored::<$type, $crate::__shape!($type $(, $shape)?)>(
                    stringify!($column),
                    $crate::Visibility::$visibility,
                    $says,
                ),
            )+],
            computed: &[$(
                $crate::Column::computed::<$computed_shape>(
                    stringify!($computed),
                    stringify!($after),
                    $sql,
                    $computed_says,
                ),
            )* $($(
                $crate::Column::computed::<$asked_shape>(
                    stringify!($asked),
                    stringify!($asked_after),
                    $asked_sql,
                    $asked_says,
                )
                .on_request(),
            )*)?],
            sorts: &[$($sort,)+],
            default_direction: $crate::Direction::$direction,
            example: $example,
            filters: &[$($filter,)*],
        };
    };
}

/// The shape of a column: what is said, or its type.
#[doc(hidden)]
#[macro_export]
macro_rules! __shape {
    ($type:ty) => {
        $type
    };
    ($type:ty, $shape:ty) => {
        $shape
    };
}
