//! 4 lanes in a register of SSE 4.1. A mask is a register of all bits or none.

use std::arch::x86_64::*;
use std::ops::{Add, BitAnd, BitOr, Mul, Sub};

use super::vector::{Lanes, one_to_one};

#[derive(Clone, Copy)]
pub struct Sse41(__m128i);

one_to_one! { operators of Sse41;
    Add add: _mm_add_epi32;
    Sub sub: _mm_sub_epi32;
    Mul mul: _mm_mullo_epi32;
    BitAnd bitand: _mm_and_si128;
    BitOr bitor: _mm_or_si128;
}

impl Sse41 {
    /// `yes` where the bit of `bits` is set that `UP` bring to the top.
    #[inline(always)]
    fn choose<const UP: u32>(bits: Sse41, no: Sse41, yes: Sse41) -> Sse41 {
        let top = bits.shl::<UP>();
        // SAFETY: the instruction set.
        unsafe {
            let chosen = _mm_blendv_ps(_mm_castsi128_ps(no.0), _mm_castsi128_ps(yes.0), _mm_castsi128_ps(top.0));
            Sse41(_mm_castps_si128(chosen))
        }
    }
}

// In every `unsafe` below the instruction set is enabled (see `Lanes`); what more there is to say stands beside it.
impl Lanes<4> for Sse41 {
    type Mask = Sse41;
    type HalfMask = Sse41;

    one_to_one! { methods;
        min(other): _mm_min_epi32;
        max(other): _mm_max_epi32;
        abs(): _mm_abs_epi32;
        gt(other): _mm_cmpgt_epi32;
        eq(other): _mm_cmpeq_epi32;
        dot(other): _mm_madd_epi16;
        add_halves(other): _mm_add_epi16;
        sub_halves(other): _mm_sub_epi16;
        min_halves(other): _mm_min_epi16;
        max_halves(other): _mm_max_epi16;
        abs_halves(): _mm_abs_epi16;
        gt_halves(other): _mm_cmpgt_epi16;
        eq_halves(other): _mm_cmpeq_epi16;
    }

    // The immediate forms take an i32 where `Lanes` has a u32; from a constant the compiler makes them of these.

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        // SAFETY: the instruction set.
        Sse41(unsafe { _mm_sll_epi32(self.0, _mm_cvtsi32_si128(BITS as i32)) })
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        // SAFETY: the instruction set.
        Sse41(unsafe { _mm_sra_epi32(self.0, _mm_cvtsi32_si128(BITS as i32)) })
    }

    #[inline(always)]
    fn shr_zeros<const BITS: u32>(self) -> Self {
        // SAFETY: the instruction set.
        Sse41(unsafe { _mm_srl_epi32(self.0, _mm_cvtsi32_si128(BITS as i32)) })
    }

    #[inline(always)]
    fn splat(value: i32) -> Self {
        // SAFETY: the instruction set.
        Sse41(unsafe { _mm_set1_epi32(value) })
    }

    #[inline(always)]
    fn splat_halves(value: i16) -> Self {
        // SAFETY: the instruction set.
        Sse41(unsafe { _mm_set1_epi16(value) })
    }

    #[inline(always)]
    fn load(row: &[i16; 4]) -> Self {
        // SAFETY: the row has the 8 bytes.
        Sse41(unsafe { _mm_cvtepi16_epi32(_mm_loadl_epi64(row.as_ptr().cast())) })
    }

    #[inline(always)]
    fn store(self, row: &mut [i16; 4]) {
        // SAFETY: the row has the 8 bytes.
        unsafe { _mm_storel_epi64(row.as_mut_ptr().cast(), _mm_packs_epi32(self.0, self.0)) }
    }

    #[inline(always)]
    fn load_wide(row: &[i32; 4]) -> Self {
        // SAFETY: the row has the 16 bytes.
        Sse41(unsafe { _mm_loadu_si128(row.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store_wide(self, row: &mut [i32; 4]) {
        // SAFETY: the row has the 16 bytes.
        unsafe { _mm_storeu_si128(row.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn load_halves(rows: &[[i16; 4]; 2]) -> Self {
        // SAFETY: the rows have the 16 bytes.
        Sse41(unsafe { _mm_loadu_si128(rows.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store_halves(self, mask: Sse41, rows: &mut [[i16; 4]; 2]) {
        let new = Self::select_halves(mask, self, Self::load_halves(rows));
        // SAFETY: the rows have the 16 bytes.
        unsafe { _mm_storeu_si128(rows.as_mut_ptr().cast(), new.0) }
    }

    /// Eight samples of each lane stand in one register; two rounds of unpacking turn four such registers.
    #[inline(always)]
    unsafe fn gather(frames: &[*const i16; 4], block: usize) -> [Self; 8] {
        // SAFETY: the caller says that the 16 samples are there.
        unsafe {
            let mut out = [Sse41(_mm_setzero_si128()); 8];
            for half in 0..2 {
                let mut rows = [_mm_setzero_si128(); 4];
                for (frame, row) in frames.iter().zip(&mut rows) {
                    *row = _mm_loadu_si128(frame.add(block * 16 + half * 8).cast());
                }
                let [a, b, c, d] = rows;
                let (ab, cd) = (_mm_unpacklo_epi32(a, b), _mm_unpacklo_epi32(c, d));
                out[half * 4] = Sse41(_mm_unpacklo_epi64(ab, cd));
                out[half * 4 + 1] = Sse41(_mm_unpackhi_epi64(ab, cd));
                let (ab, cd) = (_mm_unpackhi_epi32(a, b), _mm_unpackhi_epi32(c, d));
                out[half * 4 + 2] = Sse41(_mm_unpacklo_epi64(ab, cd));
                out[half * 4 + 3] = Sse41(_mm_unpackhi_epi64(ab, cd));
            }
            out
        }
    }

    /// There is no shift of each number by its own bits: one after the other as each bit of `bits` says.
    #[inline(always)]
    fn shl_by(self, bits: Self) -> Self {
        let value = Self::choose::<31>(bits, self, self.shl::<1>());
        let value = Self::choose::<30>(bits, value, value.shl::<2>());
        let value = Self::choose::<29>(bits, value, value.shl::<4>());
        let value = Self::choose::<28>(bits, value, value.shl::<8>());
        let value = Self::choose::<27>(bits, value, value.shl::<16>());
        Self::choose::<26>(bits, value, Self::splat(0))
    }

    #[inline(always)]
    fn shr_by(self, bits: Self) -> Self {
        let value = Self::choose::<31>(bits, self, self.shr::<1>());
        let value = Self::choose::<30>(bits, value, value.shr::<2>());
        let value = Self::choose::<29>(bits, value, value.shr::<4>());
        let value = Self::choose::<28>(bits, value, value.shr::<8>());
        Self::choose::<27>(bits, value, value.shr::<16>())
    }

    /// From the exponent as an f32. Of each run of ones only what stands eight bits or more above another is cleared
    /// first, so that no rounding reaches the next power of two.
    #[inline(always)]
    fn leading_zeros(self) -> Self {
        // SAFETY: the instruction set.
        unsafe {
            let thin = _mm_andnot_si128(_mm_srli_epi32::<8>(self.0), self.0);
            let exponent = _mm_srli_epi32::<23>(_mm_castps_si128(_mm_cvtepi32_ps(thin)));
            // Of a negative number this is below zero, of zero above 32.
            let zeros = _mm_sub_epi32(_mm_set1_epi32(158), exponent);
            let zeros = _mm_max_epi32(zeros, _mm_setzero_si128());
            Sse41(_mm_min_epi32(zeros, _mm_set1_epi32(32)))
        }
    }

    #[inline(always)]
    fn quotient(self, divisor: Self) -> Self {
        // SAFETY: the instruction set.
        Sse41(unsafe { _mm_cvttps_epi32(_mm_div_ps(_mm_cvtepi32_ps(self.0), _mm_cvtepi32_ps(divisor.0))) })
    }

    #[inline(always)]
    fn above(self, other: Self) -> Self {
        // SAFETY: the instruction set.
        Sse41(unsafe { _mm_blend_epi16::<0xaa>(_mm_srli_epi32::<16>(other.0), self.0) })
    }

    #[inline(always)]
    fn any(mask: Sse41) -> bool {
        // SAFETY: the instruction set.
        unsafe { _mm_movemask_epi8(mask.0) != 0 }
    }

    #[inline(always)]
    fn any_half(mask: Sse41) -> bool {
        Self::any(mask)
    }

    #[inline(always)]
    fn select(mask: Sse41, yes: Self, no: Self) -> Self {
        // SAFETY: the instruction set.
        Sse41(unsafe { _mm_blendv_epi8(no.0, yes.0, mask.0) })
    }

    #[inline(always)]
    fn select_halves(mask: Sse41, yes: Self, no: Self) -> Self {
        Self::select(mask, yes, no)
    }
}
