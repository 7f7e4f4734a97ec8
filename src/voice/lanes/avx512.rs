//! 16 lanes in a register of AVX-512 (F, BW, CD).

use std::arch::x86_64::*;
use std::ops::{Add, BitAnd, BitOr, Mul, Sub};

use super::vector::{Lanes, one_to_one};

#[derive(Clone, Copy)]
pub struct Avx512(__m512i);

one_to_one! { operators of Avx512;
    Add add: _mm512_add_epi32;
    Sub sub: _mm512_sub_epi32;
    Mul mul: _mm512_mullo_epi32;
    BitAnd bitand: _mm512_and_si512;
    BitOr bitor: _mm512_or_si512;
}

// In every `unsafe` below the instruction set is enabled (see `Lanes`); what more there is to say stands beside it.
impl Lanes<16> for Avx512 {
    type Mask = __mmask16;
    type HalfMask = __mmask32;

    one_to_one! { methods;
        shl_by(other): _mm512_sllv_epi32;
        shr_by(other): _mm512_srav_epi32;
        leading_zeros(): _mm512_lzcnt_epi32;
        min(other): _mm512_min_epi32;
        max(other): _mm512_max_epi32;
        abs(): _mm512_abs_epi32;
        dot(other): _mm512_madd_epi16;
        add_halves(other): _mm512_add_epi16;
        sub_halves(other): _mm512_sub_epi16;
        min_halves(other): _mm512_min_epi16;
        max_halves(other): _mm512_max_epi16;
        abs_halves(): _mm512_abs_epi16;
    }
    one_to_one! { masks of __mmask16;
        gt: _mm512_cmpgt_epi32_mask;
        eq: _mm512_cmpeq_epi32_mask;
    }
    one_to_one! { masks of __mmask32;
        gt_halves: _mm512_cmpgt_epi16_mask;
        eq_halves: _mm512_cmpeq_epi16_mask;
    }

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        // SAFETY: the instruction set.
        Avx512(unsafe { _mm512_slli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        // SAFETY: the instruction set.
        Avx512(unsafe { _mm512_srai_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shr_zeros<const BITS: u32>(self) -> Self {
        // SAFETY: the instruction set.
        Avx512(unsafe { _mm512_srli_epi32::<BITS>(self.0) })
    }

    #[inline(always)]
    fn splat(value: i32) -> Self {
        // SAFETY: the instruction set.
        Avx512(unsafe { _mm512_set1_epi32(value) })
    }

    #[inline(always)]
    fn splat_halves(value: i16) -> Self {
        // SAFETY: the instruction set.
        Avx512(unsafe { _mm512_set1_epi16(value) })
    }

    #[inline(always)]
    fn load(row: &[i16; 16]) -> Self {
        // SAFETY: the row has the 32 bytes.
        Avx512(unsafe { _mm512_cvtepi16_epi32(_mm256_loadu_si256(row.as_ptr().cast())) })
    }

    #[inline(always)]
    fn store(self, row: &mut [i16; 16]) {
        // SAFETY: the row has the 32 bytes.
        unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(self.0)) }
    }

    #[inline(always)]
    fn load_wide(row: &[i32; 16]) -> Self {
        // SAFETY: the row has the 64 bytes.
        Avx512(unsafe { _mm512_loadu_si512(row.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store_wide(self, row: &mut [i32; 16]) {
        // SAFETY: the row has the 64 bytes.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    fn load_halves(rows: &[[i16; 16]; 2]) -> Self {
        // SAFETY: the rows have the 64 bytes.
        Avx512(unsafe { _mm512_loadu_si512(rows.as_ptr().cast()) })
    }

    #[inline(always)]
    fn store_halves(self, mask: __mmask32, rows: &mut [[i16; 16]; 2]) {
        // SAFETY: the rows have the 64 bytes.
        unsafe { _mm512_mask_storeu_epi16(rows.as_mut_ptr().cast(), mask, self.0) }
    }

    /// Eight samples each of lanes l, l + 4, l + 8 and l + 12 stand in one register; two rounds of unpacking turn four
    /// such registers within their quarters.
    #[inline(always)]
    unsafe fn gather(frames: &[*const i16; 16], block: usize) -> [Self; 8] {
        // SAFETY: the caller says that the 16 samples are there.
        unsafe {
            let mut out = [Avx512(_mm512_setzero_si512()); 8];
            for half in 0..2 {
                let at = block * 16 + half * 8;
                let mut rows = [_mm512_setzero_si512(); 4];
                for (lane, row) in rows.iter_mut().enumerate() {
                    let first = _mm_loadu_si128(frames[lane].add(at).cast());
                    let wide = _mm512_castsi128_si512(first);
                    let wide = _mm512_inserti32x4::<1>(wide, _mm_loadu_si128(frames[lane + 4].add(at).cast()));
                    let wide = _mm512_inserti32x4::<2>(wide, _mm_loadu_si128(frames[lane + 8].add(at).cast()));
                    *row = _mm512_inserti32x4::<3>(wide, _mm_loadu_si128(frames[lane + 12].add(at).cast()));
                }
                let [a, b, c, d] = rows;
                let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
                out[half * 4] = Avx512(_mm512_unpacklo_epi64(ab, cd));
                out[half * 4 + 1] = Avx512(_mm512_unpackhi_epi64(ab, cd));
                let (ab, cd) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
                out[half * 4 + 2] = Avx512(_mm512_unpacklo_epi64(ab, cd));
                out[half * 4 + 3] = Avx512(_mm512_unpackhi_epi64(ab, cd));
            }
            out
        }
    }

    #[inline(always)]
    fn quotient(self, divisor: Self) -> Self {
        // SAFETY: the instruction set.
        Avx512(unsafe { _mm512_cvttps_epi32(_mm512_div_ps(_mm512_cvtepi32_ps(self.0), _mm512_cvtepi32_ps(divisor.0))) })
    }

    #[inline(always)]
    fn above(self, other: Self) -> Self {
        // SAFETY: the instruction set.
        Avx512(unsafe { _mm512_mask_blend_epi16(0xaaaa_aaaa, _mm512_srli_epi32::<16>(other.0), self.0) })
    }

    #[inline(always)]
    fn any(mask: __mmask16) -> bool {
        mask != 0
    }

    #[inline(always)]
    fn any_half(mask: __mmask32) -> bool {
        mask != 0
    }

    #[inline(always)]
    fn select(mask: __mmask16, yes: Self, no: Self) -> Self {
        // SAFETY: the instruction set.
        Avx512(unsafe { _mm512_mask_blend_epi32(mask, no.0, yes.0) })
    }

    #[inline(always)]
    fn select_halves(mask: __mmask32, yes: Self, no: Self) -> Self {
        // SAFETY: the instruction set.
        Avx512(unsafe { _mm512_mask_blend_epi16(mask, no.0, yes.0) })
    }
}
