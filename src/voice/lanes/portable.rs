//! N lanes in an array, for any processor; what can be made of it with vectors is left to the compiler.

use std::ops::{Add, BitAnd, BitOr, Mul, Sub};

use super::vector::Lanes;

#[derive(Clone, Copy)]
pub struct Portable<const N: usize>([i32; N]);

impl<const N: usize> Portable<N> {
    #[inline(always)]
    fn each(self, compute: impl Fn(i32) -> i32) -> Self {
        self.with(self, |a, _| compute(a))
    }

    #[inline(always)]
    fn with(self, other: Self, compute: impl Fn(i32, i32) -> i32) -> Self {
        let mut out = [0; N];
        for lane in 0..N {
            out[lane] = compute(self.0[lane], other.0[lane]);
        }
        Portable(out)
    }

    #[inline(always)]
    fn halves_with(self, other: Self, compute: impl Fn(i16, i16) -> i16) -> Self {
        self.with(other, |a, b| joined([compute(low(a), low(b)), compute(high(a), high(b))]))
    }
}

#[inline(always)]
fn low(value: i32) -> i16 {
    value as i16
}

#[inline(always)]
fn high(value: i32) -> i16 {
    (value >> 16) as i16
}

#[inline(always)]
fn joined([low, high]: [i16; 2]) -> i32 {
    (i32::from(high) << 16) | i32::from(low as u16)
}

macro_rules! operators {
    ($($trait:ident $name:ident: $compute:expr;)*) => {$(
        impl<const N: usize> $trait for Portable<N> {
            type Output = Self;

            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                self.with(other, $compute)
            }
        }
    )*};
}

operators! {
    Add add: i32::wrapping_add;
    Sub sub: i32::wrapping_sub;
    Mul mul: i32::wrapping_mul;
    BitAnd bitand: |a, b| a & b;
    BitOr bitor: |a, b| a | b;
}

macro_rules! methods {
    ($($name:ident($($other:ident)?) $by:ident: $compute:expr;)*) => {$(
        #[inline(always)]
        fn $name(self $(, $other: Self)?) -> Self {
            self.$by($($other,)? $compute)
        }
    )*};
}

impl<const N: usize> Lanes<N> for Portable<N> {
    type Mask = Self;
    type HalfMask = Self;

    methods! {
        shl_by(other) with: |a, b| if b > 31 { 0 } else { a << b };
        shr_by(other) with: |a, b| a >> (b & 31);
        leading_zeros() each: |a| a.leading_zeros() as i32;
        min(other) with: i32::min;
        max(other) with: i32::max;
        abs() each: i32::wrapping_abs;
        quotient(other) with: |a, b| (a as f32 / b as f32) as i32;
        gt(other) with: |a, b| -i32::from(a > b);
        eq(other) with: |a, b| -i32::from(a == b);
        dot(other) with: |a, b| {
            let upper = i32::from(high(a)) * i32::from(high(b));
            upper.wrapping_add(i32::from(low(a)) * i32::from(low(b)))
        };
        add_halves(other) halves_with: i16::wrapping_add;
        sub_halves(other) halves_with: i16::wrapping_sub;
        min_halves(other) halves_with: i16::min;
        max_halves(other) halves_with: i16::max;
        abs_halves() each: |a| joined([low(a).wrapping_abs(), high(a).wrapping_abs()]);
        above(other) with: |a, b| joined([high(b), high(a)]);
        gt_halves(other) halves_with: |a, b| -i16::from(a > b);
        eq_halves(other) halves_with: |a, b| -i16::from(a == b);
    }

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        self.each(|a| a << BITS)
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        self.each(|a| a >> BITS)
    }

    #[inline(always)]
    fn shr_zeros<const BITS: u32>(self) -> Self {
        self.each(|a| (a as u32 >> BITS) as i32)
    }

    #[inline(always)]
    fn splat(value: i32) -> Self {
        Portable([value; N])
    }

    #[inline(always)]
    fn splat_halves(value: i16) -> Self {
        Portable([joined([value; 2]); N])
    }

    #[inline(always)]
    fn load(row: &[i16; N]) -> Self {
        Portable(row.map(i32::from))
    }

    #[inline(always)]
    fn store(self, row: &mut [i16; N]) {
        *row = self.0.map(low);
    }

    #[inline(always)]
    fn load_wide(row: &[i32; N]) -> Self {
        Portable(*row)
    }

    #[inline(always)]
    fn store_wide(self, row: &mut [i32; N]) {
        *row = self.0;
    }

    #[inline(always)]
    fn load_halves(rows: &[[i16; N]; 2]) -> Self {
        Self::splat(0)
            .with(Self::load(&rows[0]), |_, lower| lower)
            .with(Self::load(&rows[1]), |lower, upper| joined([low(lower), low(upper)]))
    }

    #[inline(always)]
    fn store_halves(self, mask: Self, rows: &mut [[i16; N]; 2]) {
        let new = Self::select_halves(mask, self, Self::load_halves(rows));
        *rows = [new.0.map(low), new.0.map(high)];
    }

    #[inline(always)]
    unsafe fn gather(frames: &[*const i16; N], block: usize) -> [Self; 8] {
        let mut out = [Portable([0; N]); 8];
        for (number, pair) in out.iter_mut().enumerate() {
            for (value, frame) in pair.0.iter_mut().zip(frames) {
                // SAFETY: the caller says that the 16 samples are there.
                *value = joined(unsafe { frame.add(block * 16 + number * 2).cast::<[i16; 2]>().read() });
            }
        }
        out
    }

    #[inline(always)]
    fn any(mask: Self) -> bool {
        mask.0.into_iter().fold(0, |any, mask| any | mask) != 0
    }

    #[inline(always)]
    fn any_half(mask: Self) -> bool {
        Self::any(mask)
    }

    #[inline(always)]
    fn select(mask: Self, yes: Self, no: Self) -> Self {
        let no = no.with(mask, |no, mask| if mask != 0 { 0 } else { no });
        no | yes.with(mask, |yes, mask| if mask != 0 { yes } else { 0 })
    }

    #[inline(always)]
    fn select_halves(mask: Self, yes: Self, no: Self) -> Self {
        (mask & yes) | no.with(mask, |no, mask| no & !mask)
    }
}
