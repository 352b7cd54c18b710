//! Lists and names of the variants of an enumeration, derived by `strum`.

/// Returns the variants, which `strum` has as a slice, as an array of their number.
#[expect(clippy::unreachable, reason = "a constant is computed by the compiler, which would report it")]
pub(crate) const fn all<T: Copy, const COUNT: usize>(variants: &'static [T]) -> [T; COUNT] {
    let Some(variants) = variants.first_chunk() else { unreachable!() };
    *variants
}

/// Gives enumerations that derive `VariantArray` and `IntoStaticStr` of `strum` the list `ALL` and the
/// function `name`.
macro_rules! named {
    ($($visible:vis $type:ty),+ $(,)?) => {$(
        impl $type {
            /// Every variant, in the order of declaration.
            $visible const ALL: [Self; <Self as strum::VariantArray>::VARIANTS.len()] =
                $crate::platform::variants::all(<Self as strum::VariantArray>::VARIANTS);

            /// Returns the name of the variant in JSON, filters, records and the ids of messages.
            $visible fn name(self) -> &'static str {
                self.into()
            }
        }
    )+};
}
pub(crate) use named;
