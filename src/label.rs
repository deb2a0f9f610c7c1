//! Enumerations that become label values: one declaration gives the type, its text and the list of
//! all values, from which the catalogue bounds a family and every series starts at 0.

/// Declares an enum whose variants are label values.
///
/// `label!(/// Docs. pub enum Phase { Dns = "dns", … })` gives `Phase::as_str`, `Phase::ALL`
/// (the variants) and `Phase::VALUES` (their texts), both in the order of declaration.
macro_rules! label {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$vmeta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The text of every variant, in the order of declaration.
            pub const VALUES: &'static [&'static str] = &[$($text),+];

            /// The label's value.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use label;
