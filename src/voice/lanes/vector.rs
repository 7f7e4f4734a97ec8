//! What the decision asks of a vector of N numbers of 32 bits.

use std::ops::{Add, BitAnd, BitOr, Mul, Sub};

/// N numbers of 32 bits that are computed with together; sums and products wrap. Some operations see each number as two
/// halves of 16 bits.
///
/// A type that stands for an instruction set may be used only where that set is enabled: below a function with its
/// `#[target_feature]`. Nothing outside this room can name one.
pub trait Lanes<const N: usize>:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + BitAnd<Output = Self> + BitOr<Output = Self>
{
    /// One truth a number.
    type Mask: Copy + BitAnd<Output = Self::Mask> + BitOr<Output = Self::Mask>;
    /// One truth a half.
    type HalfMask: Copy + BitAnd<Output = Self::HalfMask> + BitOr<Output = Self::HalfMask>;

    fn splat(value: i32) -> Self;
    fn load(row: &[i16; N]) -> Self;
    /// Stores numbers that fit into 16 bits.
    fn store(self, row: &mut [i16; N]);
    fn load_wide(row: &[i32; N]) -> Self;
    fn store_wide(self, row: &mut [i32; N]);
    /// Samples 16 × `block` to 16 × `block` + 15 of each frame, in pairs: the first of a pair is the lower half.
    ///
    /// # Safety
    ///
    /// Each pointer is to a frame of at least 16 × (`block` + 1) samples.
    unsafe fn gather(frames: &[*const i16; N], block: usize) -> [Self; 8];

    fn shl<const BITS: u32>(self) -> Self;
    /// Shifts the sign in.
    fn shr<const BITS: u32>(self) -> Self;
    /// Shifts zeros in.
    fn shr_zeros<const BITS: u32>(self) -> Self;
    /// By 0 to 32 bits each; 32 leave nothing.
    fn shl_by(self, bits: Self) -> Self;
    /// By 0 to 31 bits each; shifts the sign in.
    fn shr_by(self, bits: Self) -> Self;
    fn leading_zeros(self) -> Self;
    fn min(self, other: Self) -> Self;
    fn max(self, other: Self) -> Self;
    fn abs(self) -> Self;
    /// The whole part of the quotient as f32 has it; the quotient fits into 31 bits.
    fn quotient(self, divisor: Self) -> Self;
    fn gt(self, other: Self) -> Self::Mask;
    fn eq(self, other: Self) -> Self::Mask;
    fn any(mask: Self::Mask) -> bool;
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;

    fn splat_halves(value: i16) -> Self;
    /// One row in the lower halves and one in the upper ones, or both one after the other.
    fn load_halves(rows: &[[i16; N]; 2]) -> Self;
    /// Stores the halves of `mask`, as they were loaded, and leaves the others.
    fn store_halves(self, mask: Self::HalfMask, rows: &mut [[i16; N]; 2]);
    /// The product of the lower halves and that of the upper halves, added.
    fn dot(self, other: Self) -> Self;
    fn add_halves(self, other: Self) -> Self;
    fn sub_halves(self, other: Self) -> Self;
    fn min_halves(self, other: Self) -> Self;
    fn max_halves(self, other: Self) -> Self;
    fn abs_halves(self) -> Self;
    /// The upper half of `self`, and below it the upper half of `other`.
    fn above(self, other: Self) -> Self;
    fn gt_halves(self, other: Self) -> Self::HalfMask;
    fn eq_halves(self, other: Self) -> Self::HalfMask;
    fn any_half(mask: Self::HalfMask) -> bool;
    fn select_halves(mask: Self::HalfMask, yes: Self, no: Self) -> Self;

    /// The lower half with its sign.
    #[inline(always)]
    fn wrapped(self) -> Self {
        self.shl::<16>().shr::<16>()
    }
}

/// Methods that are one intrinsic of registers, and the operators: `name: intrinsic`.
#[cfg(target_arch = "x86_64")]
macro_rules! one_to_one {
    (methods; $($name:ident($($other:ident)?): $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self $(, $other: Self)?) -> Self {
            // SAFETY: the instruction set is enabled wherever the type is used; see `Lanes`.
            Self(unsafe { $intrinsic(self.0 $(, $other.0)?) })
        }
    )*};
    (operators of $type:ident; $($trait:ident $name:ident: $intrinsic:ident;)*) => {$(
        impl $trait for $type {
            type Output = Self;

            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                // SAFETY: the instruction set is enabled wherever the type is used; see `Lanes`.
                Self(unsafe { $intrinsic(self.0, other.0) })
            }
        }
    )*};
    (masks of $mask:ty; $($name:ident: $intrinsic:ident;)*) => {$(
        #[inline(always)]
        fn $name(self, other: Self) -> $mask {
            // SAFETY: the instruction set is enabled wherever the type is used; see `Lanes`.
            unsafe { $intrinsic(self.0, other.0) }
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
pub(super) use one_to_one;
